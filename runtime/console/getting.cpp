#include <algorithm>
#include <map>

#include "runtime/console/object_text.hpp"
#include "runtime/console/objects.hpp"
#include "runtime/console/tables.hpp"
#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

/// The get command: one answer in the wanted shape, or rows as they change.
namespace legion::console {

namespace {

api_request request_for(const named_things& thing, const get_options& how, const scope& where) {
  api_request request;
  auto& what = *request.mutable_get();
  what.set_kind(thing.kind);
  for (const auto& name : thing.names)
    what.add_names(name);
  what.set_namespace_(where.ns);
  what.set_all_namespaces(where.all_namespaces);
  what.set_selector(how.selector);
  what.set_watch(how.watch);
  return request;
}

look look_of(const get_options& how, const scope& where, const std::string& kind, wall_ms now) {
  return {how.output == "wide", where.all_namespaces && kind != "nodes", now};
}

std::string name_line(const std::string& kind, const json& x) {
  const auto* word = kind == "nodes"         ? "node"
                     : kind == "deployments" ? "deployment.apps"
                     : kind == "pods"        ? "pod"
                                             : "promise.legion.dev";
  return std::string{word} + "/" + x["metadata"]["name"].get<std::string>() + "\n";
}

void print_none(conversation& with, const std::string& kind, const scope& where) {
  with.with().err << "No " << kind << " found"
                  << (kind == "nodes" || where.all_namespaces ? ""
                                                              : " in namespace " + plain(where.ns))
                  << ".\n"
                  << std::flush;
}

/// Prints rows of a watch: all at first, later those that changed.
class watcher {
public:
  watcher(conversation& with, const get_options& how, const scope& where, std::string kind)
      : with_(with), how_(how), where_(where), kind_(std::move(kind)) {}

  void print(const api_reply& x) {
    auto& out = with_.with().out;
    auto how = look_of(how_, where_, kind_, with_.with().now());
    if (how_.output == "json" || how_.output == "yaml") {
      for (const auto& object : objects_of(kind_, x))
        out << (how_.output == "json" ? to_json(object) : "---\n" + to_yaml(object));
      out << std::flush;
      return;
    }
    if (how_.output == "name") {
      for (const auto& object : objects_of(kind_, x))
        if (auto line = name_line(kind_, object); changed(line, {object.dump()}))
          out << line;
      out << std::flush;
      return;
    }
    auto rows = table_of(kind_, x, how);
    // Ages change by themselves: what counts is the row at age nought.
    auto ageless = how;
    ageless.now = 0;
    auto compared = table_of(kind_, x, ageless);
    table news{rows.headings()};
    for (std::size_t i = 0; i < rows.rows().size(); ++i) {
      auto cells = compared.rows()[i];
      auto key = cells[0] + (how.namespaces ? "/" + cells[1] : "");
      if (changed(key, std::move(cells)))
        news.add(rows.rows()[i]);
    }
    if (news.empty())
      return;
    out << news.text(first_ && how_.headings, &widths_) << std::flush;
    first_ = false;
  }

private:
  bool changed(const std::string& key, std::vector<std::string> now) {
    auto& last = last_[key];
    if (last == now)
      return false;
    last = std::move(now);
    return true;
  }

  conversation& with_;
  const get_options& how_;
  const scope& where_;
  std::string kind_;
  bool first_ = true;
  std::vector<std::size_t> widths_;
  std::map<std::string, std::vector<std::string>> last_;
};

int watch(conversation& with, const named_things& thing, const get_options& how,
          const scope& where) {
  watcher rows{with, how, where, thing.kind};
  return with.ask(
      request_for(thing, how, where),
      [&](const api_reply& x) {
        with.print_notes(x);
        rows.print(x);
        return static_cast<bool>(with.with().out);
      },
      {true, [](api_request&) {}}); // a watch begins with all there is, wherever it is asked
}

} // namespace

int get(conversation& with, const get_options& how, const scope& where) {
  auto things = read_names(how.what);
  if (!things) {
    with.print_error(things.why().detail);
    return exit_usage;
  }
  if (how.watch) {
    if (things->size() == 1)
      return watch(with, things->front(), how, where);
    with.print_error("-w watches one kind at a time");
    return exit_usage;
  }
  auto objects = how.output == "json" || how.output == "yaml" || how.output == "name";
  std::vector<json> items;
  auto worst = static_cast<int>(exit_done);
  auto printed = false;
  for (const auto& thing : *things) {
    auto code = with.ask(request_for(thing, how, where), [&](const api_reply& x) {
      auto& out = with.with().out;
      if (objects) {
        for (auto& object : objects_of(thing.kind, x)) {
          if (how.output == "name")
            out << name_line(thing.kind, object);
          items.push_back(std::move(object));
        }
      } else {
        auto rows = table_of(thing.kind, x, look_of(how, where, thing.kind, with.with().now()));
        if (rows.empty() && !x.has_refused())
          print_none(with, thing.kind, where);
        if (!rows.empty())
          out << (printed ? "\n" : "") << rows.text(how.headings) << std::flush;
        printed = printed || !rows.empty();
      }
      with.print_notes(x);
      if (x.incomplete()) // and the notes say whose part is missing
        worst = std::max(worst, static_cast<int>(exit_unreachable));
      return true;
    });
    worst = std::max(worst, code);
  }
  if (!objects || how.output == "name" || (worst != exit_done && items.empty()))
    return worst;
  auto one = things->size() == 1 && things->front().names.size() == 1;
  auto all = listed(std::move(items), !one);
  with.with().out << (how.output == "json" ? to_json(all) : to_yaml(all)) << std::flush;
  return worst;
}

} // namespace legion::console
