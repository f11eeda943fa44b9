#include <cstdio>

int main() {
  std::puts("legion-node " LEGION_VERSION);
  return 0;
}
