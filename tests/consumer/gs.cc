#include <cstdio>
#include <muster/gs.hpp>

int main() {
  muster::gs::Status status;
  const auto server = muster::gs::Server::create(&status);
  std::printf("%s\n", muster::gs::to_string(status));
  return !server && status == MUSTER_GS_ERR_NOT_LAUNCHED ? 0 : 1;
}
