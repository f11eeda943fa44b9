#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace legion::tests {

/// A folder of a test's own, gone at the end of its scope.
class scratch_folder {
public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "legion-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~scratch_folder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  void write(const std::string& name, const std::string& text) const {
    auto target = std::filesystem::path{path_} / name;
    std::filesystem::create_directories(target.parent_path());
    std::ofstream{target} << text;
  }

private:
  std::string path_;
};

} // namespace legion::tests
