#pragma once

#include <string>
#include <vector>

#include "actors/membership/swim.hpp"

namespace legion::membership {

/// One node's rules, played by hand: the test is all of its peers.
struct one_node {
  explicit one_node(std::string cluster = std::string(16, 'c'), std::size_t contacts = 0)
      : rules(setting_for(std::move(cluster), contacts), now) {
    all = rules.start(now);
  }

  static node_id id(char c) { return node_id::from_bytes(std::string(16, c)); }

  static member record(char c, std::uint64_t start = 1) {
    member x;
    x.set_id(id(c).bytes());
    x.set_start(start);
    x.set_version(1);
    x.set_name(std::string{"node-"} + c);
    x.set_endpoint("10.0.0.1:7710");
    x.set_public_key(std::string(32, c));
    x.set_zone("local");
    return x;
  }

  static member record_of(const member_update& x) {
    member result;
    result.ParseFromString(x.record());
    return result;
  }

  static swim::setting setting_for(std::string cluster, std::size_t contacts) {
    swim::setting x;
    x.self = record('A', 3);
    x.cluster = std::move(cluster);
    for (std::size_t i = 0; i < contacts; ++i)
      x.contacts.push_back(id(static_cast<char>('P' + i)));
    x.seed = 7;
    return x;
  }

  static member_update update(char about, std::uint64_t start, std::uint32_t incarnation,
                              member_state state, char by = 0) {
    member_update x;
    x.set_id(id(about).bytes());
    x.set_start(start);
    x.set_incarnation(incarnation);
    x.set_state(state);
    if (by != 0)
      x.set_suspected_by(id(by).bytes());
    return x;
  }

  void hear(char from, swim_packet x) {
    x.set_from(id(from).bytes());
    all = rules.on_packet(x, now);
  }
  void hear(char from, member_update x) {
    swim_packet packet;
    *packet.add_updates() = std::move(x);
    hear(from, std::move(packet));
  }

  void join(char who, std::uint64_t start = 1) {
    join_request x;
    *x.mutable_who() = record(who, start);
    reply = rules.answer_join(x, now, all);
  }

  /// Lets time pass, waking the node whenever it asks for it; keeps all effects.
  void pass(time_point::duration x) {
    auto end = now + x;
    all.clear();
    while (rules.wake_at() <= end) {
      now = std::max(now, rules.wake_at());
      for (auto& e : rules.on_tick(now))
        all.push_back(std::move(e));
    }
    now = end;
  }

  const entry& seen(char c) const { return *rules.members().find(id(c)); }

  std::vector<swim_packet> sent_to(char c) const {
    std::vector<swim_packet> result;
    for (auto& e : all)
      if (auto* x = std::get_if<send_packet>(&e); x && x->to == id(c))
        result.push_back(x->what);
    return result;
  }

  /// The first packet of this kind among the effects, and to whom.
  const send_packet* sent(swim_packet::WhatCase kind) const {
    for (auto& e : all)
      if (auto* x = std::get_if<send_packet>(&e); x && x->what.what_case() == kind)
        return x;
    return nullptr;
  }

  std::size_t count(swim_packet::WhatCase kind) const {
    std::size_t n = 0;
    for (auto& e : all)
      if (auto* x = std::get_if<send_packet>(&e))
        n += x->what.what_case() == kind;
    return n;
  }

  std::vector<member_state> told_of(char c) const {
    std::vector<member_state> result;
    for (auto& e : all)
      if (auto* x = std::get_if<tell_change>(&e); x && x->who.id() == id(c).bytes())
        result.push_back(x->state);
    return result;
  }

  time_point now = time_point{} + std::chrono::hours{1};
  swim rules;
  effects all;
  join_reply reply;
};

} // namespace legion::membership
