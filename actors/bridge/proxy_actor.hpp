#pragma once

#include <memory>
#include <string>

#include <caf/actor_proxy.hpp>

#include "messages/ids.hpp"

namespace legion::bridge {

class exchange;

/// Stands for the actor under a path on another node. It has no mailbox: what is sent to it is
/// encoded in the sender's thread, and answers go straight to the asker.
///
/// Shape:  listed weakly: it ends when nobody holds or monitors it. Ended by the exchange, it tells
///         its monitors why, and answers `unreachable` from then on; what wants no answer is counted.
class proxy : public caf::actor_proxy {
public:
  proxy(caf::actor_config& config, std::shared_ptr<exchange> owner, node_id node, std::string path);

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* host) override;
  void attach(caf::attachable_ptr what) override;
  std::size_t detach(const caf::attachable::token& what) override;
  void kill_proxy(caf::execution_unit* host, caf::error why) override;
  bool add_backlink(caf::abstract_actor* x) override;
  void on_destroy() override;
  const char* name() const override { return "proxy"; }

  const node_id& peer() const { return node_; }
  const std::string& path() const { return path_; }

private:
  void bounce_as(caf::mailbox_element& what, const caf::error& why, caf::execution_unit* host);
  void on_answer_to_watch(const caf::mailbox_element& what, caf::execution_unit* host);

  std::shared_ptr<exchange> owner_;
  node_id node_;
  std::string path_;
};

/// The sender that local actors see of a request from another node: their reply becomes its reply.
///
/// Shape:  one for each start of each node that asks. The number of the request is the message
///         id's, so there is nothing to remember.
class reply_port : public caf::actor_proxy {
public:
  reply_port(caf::actor_config& config, std::shared_ptr<exchange> owner, node_id node,
             start_number start);

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* host) override;
  void enqueue(caf::strong_actor_ptr sender, caf::message_id id, caf::message what,
               caf::execution_unit* host) override;
  void kill_proxy(caf::execution_unit*, caf::error) override {}
  const char* name() const override { return "reply port"; }

private:
  void answer(caf::message_id id, const caf::type_erased_tuple& what);

  std::shared_ptr<exchange> owner_;
  node_id node_;
  start_number start_;
};

} // namespace legion::bridge
