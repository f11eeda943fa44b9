// Where a pod may run: affinity to nodes, tolerations.
#include "messages/manifest/names.hpp"
#include "messages/manifest/resources.hpp"
#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

namespace {

void read_term(const spot& from, selector_term& into, context& in) {
  auto expressions = from["matchExpressions"];
  for (std::size_t i = 0; i < expressions.size(); ++i)
    read_requirement(expressions.item(i), *into.add_match_expressions(), in);
  auto fields = from["matchFields"];
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto& r = *into.add_match_fields();
    auto field = fields.item(i);
    read_requirement(field, r, in);
    if (r.key() != "metadata.name")
      in.to.error(field["key"].what->at, field["key"].path, shown(*field["key"].what),
                  "metadata.name");
    else if ((r.operator_() != "In" && r.operator_() != "NotIn") || r.values_size() != 1)
      in.to.error(field.what->at, field.path,
                  "operator " + r.operator_() + " with " + std::to_string(r.values_size())
                      + " values",
                  "In or NotIn with one node name");
  }
}

} // namespace

void read_affinity(const spot& from, pod_spec& into, context& in) {
  auto nodes = from["nodeAffinity"];
  auto required = nodes["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
  if (required && required.size() == 0)
    in.to.error(required.what->at, required.path, "an empty list", "at least one term");
  for (std::size_t i = 0; i < required.size(); ++i)
    read_term(required.item(i), *into.add_required_node_terms(), in);
  auto preferred = nodes["preferredDuringSchedulingIgnoredDuringExecution"];
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    auto& x = *into.add_preferred_node_terms();
    x.set_weight(static_cast<std::int32_t>(preferred.item(i)["weight"].number(1)));
    read_term(preferred.item(i)["preference"], *x.mutable_preference(), in);
  }
}

void read_tolerations(const spot& from, pod_spec& into, context& in) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto t = from.item(i);
    auto& x = *into.add_tolerations();
    x.set_key(t["key"].text());
    x.set_operator_(t["operator"] ? t["operator"].text() : "Equal");
    x.set_value(t["value"].text());
    x.set_effect(t["effect"].text());
    if (t["tolerationSeconds"])
      x.set_toleration_seconds(t["tolerationSeconds"].number(0));
    bool exists = x.operator_() == "Exists";
    if (!x.key().empty() && !qualified_name(x.key()))
      in.to.error(t["key"].what->at, t["key"].path, shown(*t["key"].what), qualified_name_words);
    if (x.key().empty() && !exists)
      in.to.error(t.what->at, t["key"].path, "nothing",
                  "a key, or operator: Exists for every taint");
    if (exists && !x.value().empty())
      in.to.error(t["value"].what->at, t["value"].path, shown(*t["value"].what),
                  "no value with operator Exists");
    else if (!label_value(x.value()))
      in.to.error(t["value"].what->at, t["value"].path, shown(*t["value"].what), label_value_words);
    if (x.has_toleration_seconds() && x.effect() != "NoExecute")
      in.to.error(t["tolerationSeconds"].what->at, t["tolerationSeconds"].path,
                  "tolerationSeconds with another effect",
                  "tolerationSeconds with effect NoExecute only");
  }
}

} // namespace legion::manifest
