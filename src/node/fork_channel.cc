#include "node/fork_channel.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace muster::node {
namespace {

// What a process at its fork point has to say is short.
constexpr std::size_t received_bytes_max = 4096;

}  // namespace

std::expected<std::pair<UniqueFd, UniqueFd>, int> make_fork_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return std::unexpected(errno);
  std::pair<UniqueFd, UniqueFd> channel{UniqueFd(ends[0]), UniqueFd(ends[1])};
  const int on = 1;
  if (::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
    return std::unexpected(errno);
  return channel;
}

int send_packet(int channel, const google::protobuf::MessageLite& message, int descriptor) {
  std::string bytes = message.SerializeAsString();
  if (bytes.size() > fork_packet_bytes_max) return EMSGSIZE;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* const c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

Received receive_packet(int channel, google::protobuf::MessageLite& message, pid_t& sender) {
  char bytes[received_bytes_max];
  iovec part{bytes, sizeof bytes};
  // Room for the credentials alone: descriptors that somebody sends along are closed by the kernel.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = ::recvmsg(channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Received::nothing;
  if (size <= 0 || (header.msg_flags & MSG_TRUNC) != 0) return Received::end;
  sender = 0;
  const cmsghdr* const c = CMSG_FIRSTHDR(&header);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
    sender = credentials.pid;
  }
  return message.ParseFromArray(bytes, static_cast<int>(size)) ? Received::message : Received::end;
}

UniqueFd pidfd_of_child(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  siginfo_t info{};
  // Fails for a process that is nobody's child here, also for one that has taken the pid since.
  if (!pidfd ||
      ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
      info.si_pid != 0)
    return UniqueFd();
  return pidfd;
}

}  // namespace muster::node
