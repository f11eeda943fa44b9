#pragma once

#include <doctest/doctest.h>

#include "actors/workload/pod_lifecycle.hpp"

/// A pod's lifecycle under the test's clock: promises, and what a driver says.
namespace legion::pod_world {

using namespace legion::workload;
using namespace std::chrono_literals;

inline const time_point start{1000s};

inline moment at(time_point::duration after) {
  return {start + after, 1'000'000 + std::chrono::duration_cast<milliseconds>(after).count()};
}

inline std::shared_ptr<promise_record> a_promise(std::string policy = "Always",
                                                 int containers = 1) {
  auto result = std::make_shared<promise_record>();
  result->mutable_slot()->set_pod("p");
  result->mutable_slot()->set_uid("u");
  auto& spec = *result->mutable_what()->mutable_pod();
  spec.set_restart_policy(policy);
  spec.set_termination_grace_period_seconds(30);
  for (int i = 0; i < containers; ++i) {
    auto* x = spec.add_containers();
    x->set_name(std::string(1, static_cast<char>('a' + i)));
    x->add_command("run");
  }
  return result;
}

inline process_status process(std::uint32_t life, std::string state = "running",
                              std::string name = "a") {
  process_status x;
  x.set_workload("u");
  x.set_container(name);
  x.set_life(life);
  x.set_state(state);
  if (state != "exited")
    x.set_pid(100 + static_cast<int>(life));
  return x;
}

inline process_status exited(std::uint32_t life, int code, int signal = 0) {
  auto x = process(life, "exited");
  x.set_exit_code(code);
  x.set_signal(signal);
  return x;
}

template <class T>
const T* find(const effects& in) {
  for (const auto& x : in)
    if (auto* y = std::get_if<T>(&x))
      return y;
  return nullptr;
}

inline pod_lifecycle running(std::shared_ptr<promise_record> what) {
  pod_lifecycle x{what, {"n1", "127.0.0.1"}};
  auto out = x.begin({}, at(0s));
  REQUIRE(find<start_process>(out));
  x.on_started(0, process(0), at(0s));
  return x;
}

inline probe& readiness(promise_record& x) {
  auto& probe = *x.mutable_what()->mutable_pod()->mutable_containers(0)->mutable_readiness_probe();
  probe.mutable_tcp_socket()->mutable_port()->set_number(8080);
  return probe;
}

} // namespace legion::pod_world
