#include "messages/manifest/manifest.hpp"

#include <algorithm>
#include <map>

#include "messages/manifest/complaints.hpp"
#include "messages/manifest/field_check.hpp"
#include "messages/manifest/fields.hpp"
#include "messages/manifest/names.hpp"
#include "messages/manifest/resources.hpp"
#include "messages/manifest/scalar.hpp"
#include "messages/manifest/strangers.hpp"
#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

namespace {

constexpr const char* supported = "v1 Pod, apps/v1 Deployment or v1 List";

struct kind_rule {
  const char* api_version;
  const char* kind;
  resource (*read)(const spot&, context&);
};

constexpr kind_rule kinds[] = {
    {"v1", "Pod", read_pod}, {"apps/v1", "Deployment", read_deployment}, {"v1", "List", nullptr}};

/// One call of `read`: all files, and the names that they have used.
class reading {
public:
  explicit reading(const options& how) : how_(how) {}

  void file(const source& from, parsed& into) {
    complaints to(from.name, how_.strict);
    context in{to, how_.default_namespace, how_.only_that};
    auto tree = read_tree(from.text);
    auto no_map = [](const node* x) {
      return x->kind != node_kind::map && x->kind != node_kind::null;
    };
    if (!tree.errors.empty() || std::any_of(tree.documents.begin(), tree.documents.end(), no_map))
      if (auto known = stranger(from.text))
        tree.errors.assign(1, std::move(*known));
    for (const auto& e : tree.errors)
      to.error(e.at, e.field, e.found, e.allowed);
    file_ = from.name;
    if (tree.errors.empty())
      for (const auto* document : tree.documents)
        if (document->kind != node_kind::null && !to.full())
          this->document({document, ""}, in, into);
    for (auto& d : to.take())
      into.diagnostics.push_back(std::move(d));
  }

private:
  void document(const spot& x, context& in, parsed& into) {
    const auto* rule = kind_of(x, in);
    if (!rule)
      return;
    auto before = in.to.errors();
    check_fields(*x.what, *find_type(rule->kind), x.path, in.to);
    if (in.to.errors() != before)
      return;
    if (rule->read) {
      auto r = rule->read(x, in);
      claim(r, x, in);
      into.resources.push_back(std::move(r));
      return;
    }
    auto items = x["items"];
    for (std::size_t i = 0; i < items.size(); ++i)
      document(items.item(i), in, into);
  }

  /// A name is taken once in all files.
  void claim(const resource& r, const spot& at, context& in) {
    auto name = r.metadata().namespace_() + '/' + r.metadata().name();
    auto where = file_ + ':' + std::to_string(at.what->at.line);
    auto [known, fresh] = taken_.try_emplace(r.kind() + ' ' + name, where);
    if (!fresh)
      in.to.error(at["metadata"]["name"].what->at, at["metadata"]["name"].path,
                  r.kind() + ' ' + name + " again, first in " + known->second,
                  "each resource once");
  }

  static const kind_rule* kind_of(const spot& x, context& in) {
    if (x.what->kind != node_kind::map) {
      in.to.error(x.what->at, x.path, shown(*x.what),
                  std::string("a map with apiVersion and kind: ") + supported);
      return nullptr;
    }
    auto version = x["apiVersion"];
    auto kind = x["kind"];
    if (!version || !kind) {
      std::string found = !version && !kind ? "neither apiVersion nor kind" : "nothing";
      if (auto tool = tool_of(*x.what); !kind && !tool.empty())
        found += "; " + tool;
      in.to.error(x.what->at, (!version ? version : kind).path, found,
                  std::string("a Kubernetes manifest: ") + supported);
      return nullptr;
    }
    for (const auto& rule : kinds)
      if (kind.text() == rule.kind && kind.what->kind == node_kind::string) {
        if (version.text() == rule.api_version && version.what->kind == node_kind::string)
          return &rule;
        in.to.error(version.what->at, version.path, shown(*version.what),
                    std::string(rule.api_version) + " for kind " + rule.kind);
        return nullptr;
      }
    in.to.error(kind.what->at, kind.path, shown(*kind.what), supported + nearest(kind.text()));
    return nullptr;
  }

  /// A kind in other letters, or with a slip, is named; another tool's kind is not.
  static std::string nearest(const std::string& kind) {
    for (const auto& rule : kinds)
      if (auto edits = edit_distance(kind, rule.kind); edits <= 2 && edits + 1 < kind.size())
        return std::string(", of which \"") + rule.kind + "\" is the nearest";
    return {};
  }

  options how_;
  std::string file_;
  std::map<std::string, std::string> taken_;
};

} // namespace

bool refused(const parsed& x) {
  for (const auto& d : x.diagnostics)
    if (!d.warning())
      return true;
  return false;
}

parsed read(const std::vector<source>& files, const options& how) {
  parsed result;
  reading all(how);
  for (const auto& f : files)
    all.file(f, result);
  bool wrong = refused(result);
  if (!wrong && result.resources.empty()) {
    complaints to(files.empty() ? "" : files.front().name, how.strict);
    to.error({}, "", "nothing to apply", std::string("at least one: ") + supported);
    result.diagnostics = to.take();
  }
  if (wrong)
    result.resources.clear();
  return result;
}

} // namespace legion::manifest
