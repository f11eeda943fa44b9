#pragma once

#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/api/socket_server.hpp"
#include "runtime/console/legionctl.hpp"
#include "tests/unit/console/canned.hpp"

/// legionctl as a whole, and a node to talk to.
namespace legion::console {

/// A node that answers every request with replies made by hand.
struct fake_node final : api::sink {
  using answers = std::function<std::vector<api_reply>(const api_request&)>;

  explicit fake_node(answers how, std::size_t clients = 256) : how_(std::move(how)) {
    char name[] = "/tmp/legion-console-XXXXXX";
    folder_ = ::mkdtemp(name);
    api::settings where;
    where.socket_path = path();
    where.node_name = "legion-1";
    where.max_clients = clients;
    auto made = api::make(where)(*this);
    REQUIRE(made);
    server_ = std::move(*made);
  }
  ~fake_node() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/api.sock"; }
  std::string folder() const { return folder_; }

  void request_arrived(std::uint64_t request, std::string frame) override {
    api_request what;
    what.ParseFromString(frame);
    for (auto& x : how_(what))
      server_->reply(request, x.SerializeAsString(), x.last());
  }
  void request_cancelled(std::uint64_t) override {}

private:
  answers how_;
  std::string folder_;
  std::unique_ptr<api::server> server_;
};

struct outcome {
  int code;
  std::string out, err;
};

inline outcome run_words(std::vector<std::string> words, const std::string& input = {}) {
  std::istringstream in{input};
  std::ostringstream out, err;
  terminal with{in, out, err, false, false, [] { return canned_now; }};
  auto code = console::run(words, with);
  return {code, out.str(), err.str()};
}

inline api_reply last(api_reply x) {
  x.set_last(true);
  return x;
}

inline api_reply refused(refusal_code code, std::string detail) {
  api_reply x;
  x.mutable_refused()->set_code(code);
  x.mutable_refused()->set_detail(std::move(detail));
  return last(x);
}

} // namespace legion::console
