#include "messages/manifest/resources.hpp"

#include <algorithm>
#include <array>

#include "messages/manifest/document.hpp"
#include "messages/manifest/names.hpp"
#include "messages/manifest/quantity.hpp"
#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

spot spot::operator[](const char* field) const {
  return {what ? what->get(field) : nullptr, path.empty() ? field : path + '.' + field};
}

spot spot::item(std::size_t i) const {
  return {what->items[i], path + '[' + std::to_string(i) + ']'};
}

const std::string& spot::text() const {
  static const std::string nothing;
  return what ? what->text : nothing;
}

std::int64_t spot::number(std::int64_t otherwise) const {
  return what ? to_integer(what->text).value_or(otherwise) : otherwise;
}

namespace {

/// Annotations of one resource are at most 256 KiB, keys included.
constexpr std::size_t largest_annotations = 256 << 10;

constexpr std::int64_t default_progress_deadline = 600;
constexpr const char* exclusive_annotation = "legion.dev/exclusive"; // see keeper/lease

/// The version that is expected to be there; its place is the request, not what is kept.
void read_version(const spot& from, metadata& into, context& in) {
  if (!from)
    return;
  const auto& text = from.text();
  auto decimal = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos
                 && (text.front() != '0' || text == "0");
  auto number = decimal ? to_integer(text) : std::nullopt;
  into.set_resource_version(number ? static_cast<std::uint64_t>(*number) : 0);
  if (!number)
    in.to.error(from.what->at, from.path, shown(*from.what),
                "a version as get -o yaml shows it, or none");
}

/// What the cluster sets, or the request names; what `get -o yaml` adds is no other document.
bool not_the_authors(const node& key) {
  constexpr std::array<std::string_view, 8> names{
      "namespace",     "uid",      "generation",      "creationTimestamp",
      "managedFields", "selfLink", "resourceVersion", "deletionTimestamp"};
  return std::find(names.begin(), names.end(), key.text) != names.end();
}

std::string kept_document(const node& document) {
  auto copy = document;
  node inner;
  std::erase_if(copy.entries, [](const entry& x) { return x.key->text == "status"; });
  for (auto& x : copy.entries)
    if (x.key->text == "metadata") {
      inner = *x.value;
      std::erase_if(inner.entries, [](const entry& y) { return not_the_authors(*y.key); });
      x.value = &inner;
    }
  return to_json(copy);
}

/// A replica belongs to its Deployment: a second pod of its name would stand beside it.
void check_owner(const spot& metadata, context& in) {
  auto owners = metadata["ownerReferences"];
  for (std::size_t i = 0; i < owners.size(); ++i) {
    auto owner = owners.item(i);
    if (auto controller = owner["controller"]; controller && controller.text() == "true")
      in.to.error(owner.what->at, owner.path,
                  "a replica of " + owner["kind"].text() + " " + owner["name"].text(),
                  "a resource of its own: apply the one that it belongs to");
  }
}

void read_common(const spot& document, resource& into, context& in) {
  into.set_api_version(document["apiVersion"].text());
  into.set_kind(document["kind"].text());
  read_metadata(document["metadata"], *into.mutable_metadata(), true, in);
  read_version(document["metadata"]["resourceVersion"], *into.mutable_metadata(), in);
  into.mutable_metadata()->set_uid(document["metadata"]["uid"].text());
  into.set_document(kept_document(*document.what));
}

bool matches(const label_list& labels, const selector_requirement& r) {
  auto at = std::find_if(labels.begin(), labels.end(),
                         [&](const label& x) { return x.key() == r.key(); });
  bool there = at != labels.end();
  if (r.operator_() == "Exists" || r.operator_() == "DoesNotExist")
    return there == (r.operator_() == "Exists");
  bool among =
      there && std::find(r.values().begin(), r.values().end(), at->value()) != r.values().end();
  return among == (r.operator_() == "In");
}

/// The selector, or without one the template's labels.
void read_selector(const spot& from, deployment_spec& into, context& in) {
  const auto& labels = into.template_().metadata().labels();
  if (!from) {
    *into.mutable_match_labels() = labels;
    return;
  }
  auto match_labels = from["matchLabels"];
  auto expressions = from["matchExpressions"];
  if (expressions.size() == 0 && (!match_labels || match_labels.what->entries.empty()))
    in.to.error(from.what->at, from.path, "an empty selector",
                "matchLabels or matchExpressions, or no selector at all: then the template's "
                "labels are it");
  read_labels(match_labels, true, *into.mutable_match_labels(), in);
  for (const auto& x : into.match_labels()) {
    auto at = std::find_if(labels.begin(), labels.end(),
                           [&](const label& l) { return l.key() == x.key(); });
    if (at != labels.end() && at->value() == x.value())
      continue;
    auto value = match_labels[x.key().c_str()];
    in.to.error(value ? value.what->at : match_labels.what->at, value.path,
                at == labels.end()
                    ? "a label that the template does not have"
                    : '"' + x.value() + "\" where the template has \"" + at->value() + '"',
                "labels of spec.template.metadata.labels");
  }
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    auto& r = *into.add_match_expressions();
    read_requirement(expressions.item(i), r, in);
    if (!matches(labels, r))
      in.to.error(expressions.item(i).what->at, expressions.item(i).path,
                  "an expression that the template's labels do not match",
                  "what matches spec.template.metadata.labels");
  }
}

/// A count or a percentage; true when it is zero of any number of replicas.
bool read_share(const spot& from, std::int32_t most_percent, int_or_string& into, context& in) {
  if (!from) {
    into.set_text("25%");
    return false;
  }
  if (from.what->kind == node_kind::integer) {
    auto number = from.number(0);
    if (number < 0)
      in.to.error(from.what->at, from.path, shown(*from.what),
                  "a whole number of 0 or more, or a percentage");
    into.set_number(static_cast<std::int32_t>(number));
    return number == 0;
  }
  auto percent = parse_percent(from.text());
  if (!percent || *percent > most_percent)
    in.to.error(from.what->at, from.path, shown(*from.what),
                "a whole number of 0 or more, or a percentage such as \"25%\""
                    + std::string(most_percent == 100 ? ", at most \"100%\"" : ""));
  into.set_text(from.text());
  return percent && *percent == 0;
}

void read_strategy(const spot& from, deployment_spec& into, context& in) {
  into.set_strategy(from["type"] ? from["type"].text() : "RollingUpdate");
  if (!from || from.what->entries.empty()) { // one at a time, the new one ready first
    into.mutable_max_surge()->set_number(1);
    into.mutable_max_unavailable()->set_number(0);
    return;
  }
  auto rolling = from["rollingUpdate"];
  if (into.strategy() == "Recreate") {
    if (rolling)
      in.to.error(rolling.what->at, rolling.path, "rollingUpdate beside type: Recreate",
                  "rollingUpdate with type: RollingUpdate only");
    return;
  }
  bool no_surge = read_share(rolling["maxSurge"], 1'000'000, *into.mutable_max_surge(), in);
  bool all_stay = read_share(rolling["maxUnavailable"], 100, *into.mutable_max_unavailable(), in);
  if (no_surge && all_stay)
    in.to.error(rolling["maxUnavailable"].what->at, rolling["maxUnavailable"].path,
                "0, with maxSurge 0 too", "one of the two above 0, else no update can begin");
}

/// `legion.dev/exclusive` is said of what runs: on a Deployment itself it would go unheard.
void check_exclusive(const spot& metadata, bool of_pods, context& in) {
  auto annotations = metadata["annotations"];
  if (!annotations)
    return;
  for (const auto& e : annotations.what->entries) {
    if (e.key->text != exclusive_annotation)
      continue;
    auto path = annotations.path + '.' + e.key->text;
    if (!of_pods)
      in.to.error(e.key->at, path, "it on the Deployment",
                  "it in spec.template.metadata.annotations: it is said of the pods");
    else if (e.value->text != "true" && e.value->text != "false")
      in.to.error(e.value->at, path, shown(*e.value), "\"true\" or \"false\"");
  }
}

} // namespace

void read_labels(const spot& from, bool checked, label_list& into, context& in) {
  if (!from)
    return;
  std::size_t bytes = 0;
  for (const auto& e : from.what->entries) {
    auto path = from.path + '.' + e.key->text;
    if (!qualified_name(e.key->text))
      in.to.error(e.key->at, path, "the key " + shown(*e.key), qualified_name_words);
    if (checked && !label_value(e.value->text))
      in.to.error(e.value->at, path, shown(*e.value), label_value_words);
    bytes += e.key->text.size() + e.value->text.size();
    auto& x = *into.Add();
    x.set_key(e.key->text);
    x.set_value(e.value->text);
  }
  if (!checked && bytes > largest_annotations)
    in.to.error(from.what->at, from.path, std::to_string(bytes) + " bytes of annotations",
                "at most 256 KiB (262144 bytes)");
  std::sort(into.begin(), into.end(),
            [](const label& a, const label& b) { return a.key() < b.key(); });
}

void read_requirement(const spot& from, selector_requirement& into, context& in) {
  into.set_key(from["key"].text());
  into.set_operator_(from["operator"].text());
  auto values = from["values"];
  for (std::size_t i = 0; i < values.size(); ++i)
    into.add_values(values.item(i).text());
  if (!qualified_name(into.key()))
    in.to.error(from["key"].what->at, from["key"].path, shown(*from["key"].what),
                qualified_name_words);
  const auto& op = into.operator_();
  const node& at = values ? *values.what : *from.what;
  if ((op == "In" || op == "NotIn") && values.size() == 0)
    in.to.error(at.at, values.path, values ? "an empty list" : "nothing",
                "at least one value with operator " + op);
  if ((op == "Exists" || op == "DoesNotExist") && values.size() > 0)
    in.to.error(at.at, values.path, "a list", "no values with operator " + op);
  if ((op == "Gt" || op == "Lt")
      && (values.size() != 1 || resolve_plain(into.values(0)) != node_kind::integer))
    in.to.error(at.at, values.path,
                values.size() == 1 ? shown(*values.item(0).what)
                                   : std::to_string(values.size()) + " values",
                "one whole number in quotes with operator " + op);
}

void read_metadata(const spot& from, metadata& into, bool named, context& in) {
  if (named) {
    auto name = from["name"];
    if (!name)
      in.to.error(from.what->at, name.path, "nothing",
                  from["generateName"] ? "a name: generateName is not yet honoured"
                                       : "a name (this field is required)");
    else if (!dns_subdomain(name.text()))
      in.to.error(name.what->at, name.path, shown(*name.what), dns_subdomain_words);
    into.set_name(name.text());
    auto space = from["namespace"];
    into.set_namespace_(space ? space.text() : in.default_namespace);
    if (in.only_that && space && space.text() != in.default_namespace)
      in.to.error(space.what->at, space.path, shown(*space.what),
                  '"' + in.default_namespace + "\", the namespace asked for, or none");
    else if (!dns_label(into.namespace_()))
      in.to.error(space ? space.what->at : from.what->at, space.path,
                  space
                      ? shown(*space.what)
                      : "left out, and the namespace asked for is \"" + in.default_namespace + '"',
                  dns_label_words);
  }
  read_labels(from["labels"], true, *into.mutable_labels(), in);
  read_labels(from["annotations"], false, *into.mutable_annotations(), in);
}

resource read_pod(const spot& document, context& in) {
  resource x;
  read_common(document, x, in);
  check_owner(document["metadata"], in);
  check_exclusive(document["metadata"], true, in);
  read_pod_spec(document["spec"], *x.mutable_pod(), in);
  return x;
}

resource read_deployment(const spot& document, context& in) {
  resource x;
  read_common(document, x, in);
  auto spec = document["spec"];
  auto pod = spec["template"];
  check_exclusive(document["metadata"], false, in);
  check_exclusive(pod["metadata"], true, in);
  auto& into = *x.mutable_deployment();
  into.set_replicas(static_cast<std::int32_t>(spec["replicas"].number(1)));
  into.set_min_ready_seconds(static_cast<std::int32_t>(spec["minReadySeconds"].number(0)));
  auto deadline = spec["progressDeadlineSeconds"].number(default_progress_deadline);
  if (auto x = spec["minReadySeconds"]; x && into.min_ready_seconds() >= deadline)
    in.to.error(x.what->at, x.path, shown(*x.what),
                "less than progressDeadlineSeconds, " + std::to_string(deadline));
  into.set_paused(spec["paused"] && spec["paused"].text() == "true");
  read_metadata(pod["metadata"], *into.mutable_template_()->mutable_metadata(), false, in);
  read_pod_spec(pod["spec"], *into.mutable_template_()->mutable_spec(), in);
  auto restart = pod["spec"]["restartPolicy"];
  if (restart && restart.text() != "Always")
    in.to.error(restart.what->at, restart.path, shown(*restart.what), "Always in a Deployment");
  read_selector(spec["selector"], into, in);
  read_strategy(spec["strategy"], into, in);
  return x;
}

} // namespace legion::manifest
