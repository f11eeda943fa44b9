#include "runtime/node/spare_memory.hpp"

#include <ctime>

#include <malloc.h>

#include "runtime/drivers/supervisor/startup_pages.hpp"

namespace legion::node_process {

namespace {

std::chrono::nanoseconds processor_time() {
  timespec x{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &x);
  return std::chrono::seconds{x.tv_sec} + std::chrono::nanoseconds{x.tv_nsec};
}

} // namespace

spare_memory::spare_memory() : used_(processor_time()) {}

void spare_memory::look() {
  auto used = processor_time();
  auto busy = used - used_ > std::chrono::nanoseconds{pause} / 100;
  used_ = used;
  if (!busy && !given_back_)
    give_back();
  given_back_ = !busy;
}

void spare_memory::give_back() {
  drivers::shed_startup_pages();
  ::malloc_trim(0);
}

} // namespace legion::node_process
