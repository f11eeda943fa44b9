#include "actors/node/volunteering.hpp"

namespace legion::node {

namespace {

void declines(call_reply& reply, const volunteer& self, decline_reason reason, std::string detail) {
  auto& x = *reply.mutable_decline();
  x.set_node(self.id.bytes());
  x.set_node_name(self.describes.name);
  x.set_reason(reason);
  x.set_detail(std::move(detail));
}

} // namespace

call_reply answer_call(const call& x, const volunteer& self, std::uint64_t offer_id, ledger& books,
                       const commitments& promises, time_point now) {
  call_reply reply;
  reply.set_call(x.id());
  if (self.recovering) {
    declines(reply, self, decline_recovering, "recovering: its ledger is not rebuilt yet");
    return reply;
  }
  if (self.disk_full) {
    declines(reply, self, decline_disk,
             "disk: the data folder is full, and a promise must be on disk");
    return reply;
  }
  auto fit = placement::judge(x.template_(), self.describes);
  if (!fit.fits()) {
    declines(reply, self, fit.reason, std::move(fit.detail));
    return reply;
  }
  auto free = books.free();
  auto each = need_of(x.template_().spec());
  if (auto why = books.hold_some(offer_id, each, x.count(), now, now + offer_lifetime)) {
    // People know a promise by its pod.
    const auto* holder = promises.find(why->holder);
    if (auto at = why->detail.find(why->holder); holder && at != std::string::npos)
      why->detail.replace(at, why->holder.size(), "pod " + holder->record->slot().pod());
    declines(reply, self, why->reason, std::move(why->detail));
    return reply;
  }
  auto& offer = *reply.mutable_offer();
  offer.set_id(offer_id);
  offer.set_node(self.id.bytes());
  offer.set_node_name(self.describes.name);
  offer.set_count(books.held(offer_id)->count);
  offer.set_expires_ms(milliseconds{offer_lifetime}.count());
  *offer.mutable_total() = books.total();
  *offer.mutable_free() = free;
  offer.set_replicas(promises.replicas_of(x.of()));
  offer.set_preference(fit.preference);
  offer.set_untolerated_soft_taints(fit.untolerated_soft_taints);
  offer.set_start(value(self.start));
  return reply;
}

} // namespace legion::node
