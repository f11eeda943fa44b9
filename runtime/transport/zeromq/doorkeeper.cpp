#include "runtime/transport/zeromq/doorkeeper.hpp"

#include <cstdint>
#include <vector>

namespace legion::transport::zeromq {
namespace {

void say(const socket& to, std::string_view what, int flags) {
  zmq_send(to.get(), what.data(), what.size(), flags | ZMQ_DONTWAIT);
}

} // namespace

doorkeeper::doorkeeper(void* context) : door_(context, ZMQ_REP) {
  door_.set(ZMQ_LINGER, 0);
  bound_ = zmq_bind(door_.get(), "inproc://zeromq.zap.01") == 0;
}

void doorkeeper::answer() {
  while (answer_one()) {
  }
}

bool doorkeeper::answer_one() {
  // version, request id, domain, address, identity, mechanism, credentials
  std::vector<std::string> asked;
  for (bool more = true; more;) {
    part x;
    if (!x.receive(door_))
      return false;
    more = x.more();
    if (asked.size() < 8)
      asked.emplace_back(x.text());
  }
  bool sound = asked.size() == 7 && asked[0] == "1.0" && asked[2] == domain && asked[5] == "CURVE"
               && asked[6].size() == 32;
  char key[41] = "";
  if (sound)
    zmq_z85_encode(key, reinterpret_cast<const std::uint8_t*>(asked[6].data()), 32);
  say(door_, "1.0", ZMQ_SNDMORE);
  say(door_, asked.size() > 1 ? asked[1] : "", ZMQ_SNDMORE);
  say(door_, sound ? "200" : "400", ZMQ_SNDMORE);
  say(door_, sound ? "OK" : "a CURVE key of 32 bytes is wanted", ZMQ_SNDMORE);
  say(door_, key, ZMQ_SNDMORE);
  say(door_, "", 0);
  return true;
}

} // namespace legion::transport::zeromq
