#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/make_message.hpp>
#include <caf/make_type_erased_tuple_view.hpp>
#include <caf/message.hpp>
#include <caf/type_erased_tuple.hpp>

#include "messages/ids.hpp"

namespace legion {

/// Actors by address: local ones that were published, proxies for remote ones. An owner of a handle
/// cannot tell.
///
/// Shape:  one proxy per remote actor in use; safe from any thread; at most 65,536 proxies, the
///         unused go first.
/// Errors: there is always a handle: one for a node nobody knows answers `unreachable`.
class directory {
public:
  virtual ~directory() = default;

  /// Makes a local actor reachable for other nodes under a path; a later one replaces the earlier.
  virtual void publish(std::string path, caf::strong_actor_ptr who) = 0;
  virtual void withdraw(std::string_view path) = 0;

  /// The actor under a path on a node, whichever start of the node that is; its end is told to
  /// monitors.
  virtual caf::strong_actor_ptr find(const node_id& node, std::string_view path) = 0;

  /// One message to it that wants no answer, which is cheaper than a handle that is let go at once.
  template <class T>
  void tell(const node_id& node, std::string_view path, T what, caf::execution_unit* host) {
    if (tell_remote(node, path, caf::make_type_erased_tuple_view(what), host))
      return;
    if (auto who = find(node, path))
      who->enqueue(nullptr, caf::make_message_id(), caf::make_message(std::move(what)), host);
  }

  template <class Handle>
  Handle at(const node_id& node, std::string_view path) {
    return caf::actor_cast<Handle>(find(node, path));
  }

private:
  /// False: `find` it. What `what` is about lives for this call only.
  virtual bool tell_remote(const node_id&, std::string_view, const caf::type_erased_tuple&,
                           caf::execution_unit*) {
    return false;
  }
};

} // namespace legion
