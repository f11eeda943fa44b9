#include "tests/simulation/trial.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "messages/vocabulary.hpp"
#include "tests/simulation/trial_parts.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

struct wanted_deployment {
  int replicas = 0;
  int revision = 0;
};

std::string manifest_of(const std::string& name, const wanted_deployment& x) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name
         + "\nspec:\n  replicas: " + std::to_string(x.replicas)
         + "\n  template:\n    metadata:\n      labels: {app: " + name
         + "}\n    spec:\n      terminationGracePeriodSeconds: 5\n      containers:\n"
           "        - name: main\n          command: [server, \"revision-"
         + std::to_string(x.revision)
         + "\"]\n          ports: [{containerPort: 8080, name: http}]\n"
           "          resources: {requests: {cpu: 500m, memory: 256Mi}, limits: {memory: 256Mi}}\n"
           "          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}\n";
}

class trial {
public:
  /// The cluster outlives the checkers, and must not tell them of its end.
  ~trial() { cluster_.set_watcher({}); }

  explicit trial(const trial_options& options)
      : options_(options), random_(options.seed * 0x9e3779b97f4a7c15ull + 1),
        cluster_(cluster_options_of(options)),
        checkers_(known_nodes(), [this](auto n, auto& uid) { return runs(n, uid); }) {
    cluster_.log().write_to(options.log);
    watch();
  }

  trial_outcome run() {
    if (options_.sabotage == sabotage::double_booking)
      lie_about_capacity();
    cluster_.start_all();
    watch_machines();
    cluster_.run_for(seconds{2}); // by then each was started
    cluster_.run_until([this] { return members_agree(); }, seconds{60}, milliseconds{500});
    wanted_["web"] = {static_cast<int>(2 + random_() % (2 * options_.nodes)), 0};
    wanted_["db"] = {static_cast<int>(1 + random_() % 4), 0};
    put_all();
    cluster_.run_until([this] { return replicas_agree(); }, seconds{30}, milliseconds{200});
    begin_sabotage();
    be_away();
    trouble();
    settle();
    judge();
    return outcome();
  }

private:
  static cluster_options cluster_options_of(const trial_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.log_debug = x.debug;
    result.broken = x.broken;
    return result;
  }

  std::vector<known_node> known_nodes() const {
    std::vector<known_node> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      auto& x = cluster_.node(i);
      result.push_back({x.self.id.bytes(), x.self.name, x.has});
    }
    return result;
  }

  bool runs(std::uint32_t node, const std::string& uid) const {
    for (auto& x : cluster_.node(node).machine->processes())
      if (x.status.workload() == uid && x.status.state() != "exited")
        return true;
    return false;
  }

  void watch() {
    watch_cluster hooks;
    hooks.sent = [this](std::uint32_t from, std::uint32_t to, std::string& bytes) {
      frame parsed;
      if (!parsed.ParseFromString(bytes))
        return true;
      checkers_.on_sent(from, to, parsed, cluster_.now());
      return pass(from, to, parsed, bytes);
    };
    hooks.delivered = [this](std::uint32_t from, std::uint32_t to, const std::string& bytes) {
      frame parsed;
      if (parsed.ParseFromString(bytes))
        checkers_.on_delivered(from, to, parsed, cluster_.now());
    };
    hooks.durable = [this](std::uint32_t node, const record_batch& batch) {
      checkers_.on_durable(node, batch, cluster_.now());
    };
    hooks.down = [this](std::uint32_t node) { checkers_.on_down(node); };
    cluster_.set_watcher(std::move(hooks));
  }

  void watch_machines() {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      checkers_.check_machine(i, cluster_.node(i).machine->processes(), cluster_.now());
    cluster_.system().time().later(milliseconds{200}, [this] { watch_machines(); });
  }

  std::uint32_t any_running() {
    std::vector<std::uint32_t> up;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors && !cluster_.node(i).paused)
        up.push_back(i);
    return up.empty() ? 0 : up[random_() % up.size()];
  }

  // Applies one deployment; what came of it is only sure if it is answered without refusal.
  bool put(const std::string& name, const wanted_deployment& what, microseconds patience) {
    api_request request;
    request.set_version(1);
    auto* file = request.mutable_apply()->add_files();
    file->set_name(name + ".yaml");
    file->set_text(manifest_of(name, what));
    request.mutable_apply()->set_namespace_("default");
    auto answer = cluster_.ask(any_running(), std::move(request), patience);
    std::string text;
    if (!answer)
      text = answer.why().detail;
    else if (answer->has_refused())
      text = "refused: " + answer->refused().detail();
    else if (answer->results_size() == 0)
      text = answer->diagnostics_size() > 0 ? answer->diagnostics(0).text() : "no result";
    else
      text = answer->results(0).action();
    cluster_.log().add(cluster_.now(), "",
                       "apply " + name + " replicas=" + std::to_string(what.replicas)
                           + " revision=" + std::to_string(what.revision) + ": " + text);
    return answer && answer->results_size() > 0;
  }

  bool put_all() {
    bool all = true;
    for (auto& [name, what] : wanted_) {
      bool done = false;
      for (int i = 0; i < 20 && !done; ++i) {
        done = put(name, what, seconds{10});
        if (!done)
          cluster_.run_for(seconds{1});
      }
      all = all && done;
    }
    return all;
  }

  /// Two nodes are away for long, each in its own way; meanwhile things change. The others must be
  /// most of the nodes.
  void be_away() {
    if (options_.away.count() == 0)
      return;
    disturbance x;
    x.what = disturbance::kind::pause;
    x.nodes = {1};
    cluster_.apply(x);
    cluster_.stop(2);
    cluster_.run_for(options_.away / 2);
    wanted_["web"].replicas = static_cast<int>(options_.nodes);
    ++wanted_["db"].revision;
    put_all();
    cluster_.run_for(options_.away / 2);
    cluster_.start(2);
    x.what = disturbance::kind::resume;
    cluster_.apply(x);
  }

  void trouble() {
    if (options_.trouble.count() == 0)
      return;
    auto begin = cluster_.now();
    roughness how;
    how.nodes = options_.nodes;
    how.end = options_.trouble;
    how.incidents = options_.incidents;
    cluster_.schedule(draw_disturbances(random_(), how));
    while (cluster_.now() < begin + options_.trouble) {
      cluster_.run_for(milliseconds{500 + random_() % 6000});
      auto name = random_() % 2 == 0 ? "web" : "db";
      auto& what = wanted_[name];
      if (random_() % 2 == 0)
        what.replicas = static_cast<int>(1 + random_() % (2 * options_.nodes));
      else
        ++what.revision;
      put(name, what, seconds{5});
    }
    cluster_.run_until([&] { return cluster_.now() >= begin + options_.trouble; }, seconds{60});
  }

  std::map<std::string, std::int64_t> running() const { return running_in(cluster_, wanted_); }

  bool replicas_agree() const {
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      if (count != (i == wanted_.end() ? 0 : i->second.replicas))
        return false;
    }
    return true;
  }

  std::set<std::string> running_nodes() const {
    std::set<std::string> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors)
        result.insert(cluster_.node(i).self.name);
    return result;
  }

  std::set<std::string> alive_as_seen_by(std::uint32_t node) {
    std::set<std::string> result;
    if (auto known = cluster_.members(node))
      for (auto& x : known->members)
        if (x.state == member_alive)
          result.insert(x.who.name());
    return result;
  }

  bool members_agree() {
    auto expected = running_nodes();
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors && alive_as_seen_by(i) != expected)
        return false;
    return true;
  }

  void settle() {
    cluster_.log().add(cluster_.now(), "", "faults have stopped");
    cluster_.run_until([this] { return members_agree(); }, options_.settling, milliseconds{500});
    put_all();
    cluster_.run_until([this] { return replicas_agree(); }, options_.settling, milliseconds{500});
    cluster_.run_for(seconds{20}); // and so it must stay
  }

  void judge() {
    auto now = cluster_.now();
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      checkers_.check_replicas(name, i == wanted_.end() ? 0 : i->second.replicas, count, now);
    }
    checkers_.check_accepts(now);
    auto expected = running_nodes();
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors)
        checkers_.check_members(i, alive_as_seen_by(i), expected, cluster_.now());
  }

  trial_outcome outcome() {
    auto result = outcome_of(cluster_, checkers_);
    result.accepts = checkers_.accepts_seen();
    result.promises = checkers_.promises_seen();
    result.holds = checkers_.holds_seen();
    return result;
  }

  // Sabotage: what follows breaks things on purpose, to see the checkers catch it.

  void lie_about_capacity() {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      auto& x = cluster_.node(i);
      x.has.set_cpu_millis(600);
    }
    checkers_ = checkers{known_nodes(), [this](auto n, auto& uid) { return runs(n, uid); }};
  }

  void begin_sabotage() {
    sabotaging_ = true;
    if (options_.sabotage == sabotage::silent_kill)
      for (std::uint32_t i = 0; i < cluster_.size(); ++i)
        for (auto& x : cluster_.node(i).machine->processes())
          if (x.status.state() == "running") {
            cluster_.node(i).machine->kill_silently(x.status.workload());
            return;
          }
    if (options_.sabotage == sabotage::stale_orders)
      repeat_orders();
  }

  bool pass(std::uint32_t from, std::uint32_t to, frame& what, std::string& bytes) {
    for (auto& x : what.messages())
      sent_[{from, to}] = std::max(sent_[{from, to}], x.sequence());
    switch (options_.sabotage) {
      case sabotage::swallowed_accept:
        return drop(what, bytes, [](auto& x) { return x.kind() == message_kind<accept>; });
      case sabotage::deaf_member:
        return !sabotaging_ || to != 1 || drop(what, bytes, [](auto& x) {
          const auto of_membership = {message_kind<swim_packet>, message_kind<member_list>,
                                      message_kind<join_request>, message_kind<join_reply>};
          return std::find(of_membership.begin(), of_membership.end(), x.kind())
                 != of_membership.end();
        });
      case sabotage::forged_roster:
        forge_roster(what, bytes);
        return true;
      case sabotage::second_accept:
        double_accepts(from, to, what);
        return true;
      case sabotage::lost_answers:
        return !is_deaf(what) || drop(what, bytes, [](auto& x) {
          return x.kind() == message_kind<accept_reply> || x.kind() == message_kind<report>;
        });
      case sabotage::stale_orders:
        for (auto& x : what.messages())
          if (x.kind() == message_kind<accept>)
            orders_.emplace_back(from, to, what);
        return true;
      default:
        return true;
    }
  }

  template <class Which>
  static bool drop(frame& what, std::string& bytes, Which which) {
    auto* all = what.mutable_messages();
    auto end = std::remove_if(all->begin(), all->end(), which);
    if (end == all->end())
      return true;
    all->erase(end, all->end());
    bytes = what.SerializeAsString();
    return all->size() > 0;
  }

  static void forge_roster(frame& what, std::string& bytes) {
    for (auto& x : *what.mutable_messages()) {
      roster_state news;
      if (x.kind() != message_kind<roster_state> || !news.ParseFromString(x.body())
          || news.nodes().empty())
        continue;
      news.mutable_nodes(0)->set_endpoint("elsewhere:1");
      x.set_body(news.SerializeAsString());
      bytes = what.SerializeAsString();
    }
  }

  /// Of what is forged between these two: it is heard, and one that is sent next is lost for it; a
  /// number far ahead would end all that follows.
  std::uint64_t next_sequence(std::uint32_t from, std::uint32_t to) { return ++sent_[{from, to}]; }

  // A losing offer of the same call is accepted too, in the keeper's name.
  void double_accepts(std::uint32_t from, std::uint32_t to, const frame& what) {
    for (auto& x : what.messages()) {
      call_reply reply;
      if (x.kind() == message_kind<call_reply> && reply.ParseFromString(x.body())
          && reply.has_offer())
        offers_.push_back({from, to, reply.offer()});
      accept order;
      if (x.kind() != message_kind<accept> || !order.ParseFromString(x.body()))
        continue;
      for (auto& [node, keeper, offer] : offers_) {
        if (node == to || keeper != from)
          continue;
        order.set_offer(offer.id());
        order.set_start(offer.start());
        frame forged = what;
        forged.clear_messages();
        auto* copy = forged.add_messages();
        *copy = x;
        copy->set_body(order.SerializeAsString());
        copy->set_sequence(next_sequence(from, node));
        cluster_.network().forge(cluster_.node(from).self.id, cluster_.node(node).self.id,
                                 forged.SerializeAsString());
      }
    }
  }

  /// For 5 s from the first accept that is answered.
  bool is_deaf(const frame& what) {
    for (auto& x : what.messages())
      if (x.kind() == message_kind<accept_reply> && !deaf_since_)
        deaf_since_ = cluster_.now();
    return deaf_since_ && cluster_.now() < *deaf_since_ + seconds{5};
  }

  /// As from a leader that was deposed long ago: orders of the same slots, with lower numbers.
  void repeat_orders() {
    for (auto& [from, to, what] : orders_)
      for (auto& x : what.messages()) {
        accept order;
        if (x.kind() != message_kind<accept> || !order.ParseFromString(x.body()))
          continue;
        release end;
        end.set_keeper(order.keeper());
        end.set_group(order.group());
        for (auto& slot : order.slots()) {
          *end.add_slots() = slot;
          auto* number = end.mutable_slots()->rbegin()->mutable_order();
          number->set_index(number->index() - 1);
        }
        frame forged = what;
        forged.clear_messages();
        auto* copy = forged.add_messages();
        *copy = x;
        copy->set_kind(message_kind<release>);
        copy->set_body(end.SerializeAsString());
        copy->set_sequence(next_sequence(from, to));
        cluster_.network().forge(cluster_.node(from).self.id, cluster_.node(to).self.id,
                                 forged.SerializeAsString());
      }
  }

  struct seen_offer {
    std::uint32_t node;
    std::uint32_t keeper;
    legion::offer offer;
  };

  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> sent_; // the newest sequence
  trial_options options_;
  std::mt19937_64 random_;
  cluster cluster_;
  checkers checkers_;
  std::map<std::string, wanted_deployment> wanted_;
  std::vector<seen_offer> offers_;
  std::vector<std::tuple<std::uint32_t, std::uint32_t, frame>> orders_; // from, to
  std::optional<microseconds> deaf_since_;
  bool sabotaging_ = false;
};

} // namespace

const char* to_string(sabotage x) {
  constexpr const char* names[] = {
      "none",        "double-booking", "second-accept", "swallowed-accept", "silent-kill",
      "deaf-member", "lost-answers",   "stale-orders",  "forged-roster"};
  return names[static_cast<unsigned>(x)];
}

trial_outcome run_trial(const trial_options& options) {
  return trial{options}.run();
}

std::string command_of(const trial_options& x) {
  std::string result = "build/tests/simulation/simulation --seed " + std::to_string(x.seed)
                       + " --nodes " + std::to_string(x.nodes) + " --virtual-seconds "
                       + std::to_string(x.trouble.count()) + " --incidents "
                       + std::to_string(x.incidents) + " --settling "
                       + std::to_string(x.settling.count());
  if (x.away.count() > 0)
    result += " --away " + std::to_string(x.away.count());
  if (x.sabotage != sabotage::none)
    result += std::string(" --sabotage ") + to_string(x.sabotage);
  return result;
}

} // namespace legion::simulator
