#include "agones/grpc_connection.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "proto/agones.pb.h"

namespace muster::agones {
namespace {

constexpr std::size_t frame_head_bytes = 5;  // A gRPC message's: compressed or not, and its length.

nghttp2_nv header(std::string_view name, std::string_view value) {
  // nghttp2 copies both; that it takes them as not const is its age.
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// As gRPC writes a message in a header: percent escapes for what is not printable ASCII.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%')
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

struct GrpcConnection::Stream {
  std::string path, content_type, verb;
  std::optional<Method> method;
  std::string in;       // Of a message that is not whole.
  std::string message;  // A unary call's, until the request's end.
  bool has_message = false;
  std::string out;       // Messages to be sent,
  std::size_t sent = 0;  // and how much of it has been.
  bool replying = false;
  bool ended = false;      // Nothing more comes from the peer.
  bool last_said = false;  // `out` is the end of the reply.
  bool stale = false;      // A watcher to whom a change has not been told.
  bool refused = false;

  std::size_t pending() const { return in.size() + message.size() + out.size() - sent; }
};

// What nghttp2 calls. Its user pointer is the connection.
struct GrpcConnection::Callbacks {
  static GrpcConnection& self(void* user) { return *static_cast<GrpcConnection*>(user); }
  static Stream* find(void* user, std::int32_t id) {
    auto& streams = self(user).streams_;
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : &found->second;
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self(user).streams_.try_emplace(frame->hd.stream_id);
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user) {
    if (Stream* stream = find(user, frame->hd.stream_id); stream && !stream->method)
      self(user).on_header(*stream, view(name, name_size), view(value, value_size));
    return 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const std::int32_t id = frame->hd.stream_id;
    Stream* const stream = find(user, id);
    if (!stream) return 0;
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    stream->ended |= may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self(user).on_request(id, *stream);
    if (may_end && stream->ended) self(user).on_end(id, *stream);
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                  std::size_t size, void* user) {
    if (Stream* stream = find(user, id)) self(user).on_data(id, *stream, view(data, size));
    return 0;
  }

  // A peer that goes on sending after a refusal learns that nobody listens: not before it is sent,
  // since a stream that is being reset gets nothing else.
  static int sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const Stream* const stream = find(user, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && stream && stream->refused && !stream->ended)
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    GrpcConnection& connection = self(user);
    const auto found = connection.streams_.find(id);
    if (found == connection.streams_.end()) return 0;
    connection.pending_bytes_ -= found->second.pending();
    connection.streams_.erase(found);
    return 0;
  }

  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t max,
                      std::uint32_t* flags, nghttp2_data_source*, void* user) {
    GrpcConnection& connection = self(user);
    Stream* const stream = find(user, id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (stream->stale && stream->out.size() - stream->sent < unsent_watch_bytes_max)
      connection.watch(*stream);
    const std::size_t n = std::min(max, stream->out.size() - stream->sent);
    std::copy_n(stream->out.data() + stream->sent, n, to);
    stream->sent += n;
    connection.pending_bytes_ -= n;
    if (stream->sent == stream->out.size()) {
      stream->out.clear();
      stream->out.shrink_to_fit();
      stream->sent = 0;
      if (stream->last_said) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const std::array trailers{agones::header("grpc-status", "0")};
        nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
      } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
      }
    }
    return static_cast<ssize_t>(n);
  }

  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      CHECK(nghttp2_session_callbacks_new(&made) == 0, "there is memory");
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(made, header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, closed);
      return made;
    }();
    return callbacks;
  }
};

GrpcConnection::GrpcConnection(Host& host) : host_(host) {
  static nghttp2_option* const options = [] {
    nghttp2_option* made = nullptr;
    CHECK(nghttp2_option_new(&made) == 0, "there is memory");
    // Else closed streams are kept for a priority tree that nobody here uses.
    nghttp2_option_set_no_closed_streams(made, 1);
    return made;
  }();
  CHECK(nghttp2_session_server_new2(&session_, Callbacks::table(), this, options) == 0,
        "there is memory");
  const std::array settings{
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16u << 10}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

GrpcConnection::~GrpcConnection() { nghttp2_session_del(session_); }

bool GrpcConnection::open() const {
  return !failed_ &&
         (nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0);
}

bool GrpcConnection::feed(wire::Bytes bytes) {
  if (failed_) return false;
  const ssize_t taken = nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
  failed_ = taken < 0 || static_cast<std::size_t>(taken) != bytes.size();
  return open();
}

void GrpcConnection::produce(std::string& out, std::size_t bytes_max) {
  while (out.size() < bytes_max) {
    const std::uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n < 0) failed_ = true;
    if (n <= 0) return;
    out.append(view(data, static_cast<std::size_t>(n)));
  }
}

void GrpcConnection::changed() {
  for (auto& [id, stream] : streams_) {
    if (stream.method != Method::watch_game_server || !stream.replying || stream.last_said)
      continue;
    stream.stale = true;
    nghttp2_session_resume_data(session_, id);
  }
}

void GrpcConnection::on_header(Stream& stream, std::string_view name, std::string_view value) {
  if (name == ":path") stream.path = value.substr(0, path_bytes_max);
  if (name == ":method") stream.verb = value.substr(0, path_bytes_max);
  if (name == "content-type") stream.content_type = value.substr(0, path_bytes_max);
}

void GrpcConnection::on_request(std::int32_t id, Stream& stream) {
  const std::string path = std::exchange(stream.path, {});
  if (std::exchange(stream.verb, {}) != "POST") return refuse_http(id, stream, "405");
  if (!std::exchange(stream.content_type, {}).starts_with("application/grpc"))
    return refuse_http(id, stream, "415");
  stream.method = method_of_path(path);
  if (!stream.method)
    refuse(id, stream, {Code::unimplemented, fmt::format("there is no call {:.100}", path)});
}

void GrpcConnection::on_data(std::int32_t id, Stream& stream, std::string_view data) {
  if (stream.refused || !stream.method) return;
  stream.in += data;
  pending_bytes_ += data.size();
  while (!stream.refused && stream.in.size() >= frame_head_bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(stream.in[i]); };
    const std::size_t size =
        static_cast<std::size_t>(byte(1)) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
    if (byte(0) != 0)
      return refuse(id, stream, {Code::unimplemented, "messages must not be compressed"});
    if (size > message_bytes_max)
      return refuse(id, stream,
                    {Code::resource_exhausted,
                     fmt::format("a message may have at most {} KiB", message_bytes_max / 1024)});
    if (stream.in.size() < frame_head_bytes + size) break;
    const std::string message = stream.in.substr(frame_head_bytes, size);
    stream.in.erase(0, frame_head_bytes + size);
    pending_bytes_ -= frame_head_bytes + size;
    if (stream.method == Method::health) {
      call(id, stream, message);
    } else if (std::exchange(stream.has_message, true)) {
      return refuse(id, stream, {Code::invalid_argument, "this call has one request message"});
    } else {
      stream.message = message;
      pending_bytes_ += message.size();
    }
  }
  if (pending_bytes_ > pending_bytes_max && !stream.refused)
    refuse(id, stream, {Code::resource_exhausted, "too much at once on this connection"});
}

void GrpcConnection::on_end(std::int32_t id, Stream& stream) {
  if (stream.refused || !stream.method) return;
  if (!stream.in.empty())
    return refuse(id, stream, {Code::invalid_argument, "the request ends within a message"});
  if (stream.method == Method::health) {
    append_message(stream, wire::agones::Empty::default_instance());
    stream.last_said = true;
    return begin_reply(id, stream);
  }
  if (!stream.has_message)
    return refuse(id, stream, {Code::invalid_argument, "the request has no message"});
  const std::string message = std::exchange(stream.message, {});
  pending_bytes_ -= message.size();
  call(id, stream, message);
}

void GrpcConnection::call(std::int32_t id, Stream& stream, std::string_view message) {
  const Method method = *stream.method;
  const std::unique_ptr<Message> request(request_of(method).New());
  if (!request->ParseFromArray(message.data(), static_cast<int>(message.size())))
    return refuse(id, stream, {Code::invalid_argument, "the message is malformed"});
  const std::unique_ptr<Message> reply(reply_of(method).New());
  const Status status = host_.call(method, *request, *reply);
  if (!status.ok()) return refuse(id, stream, status);
  if (method == Method::health) return;  // Answered when the stream of them ends.
  append_message(stream, *reply);
  stream.last_said = method != Method::watch_game_server;
  if (pending_bytes_ > pending_bytes_max)
    return refuse(id, stream, {Code::resource_exhausted, "the replies before are not being read"});
  begin_reply(id, stream);
}

void GrpcConnection::append_message(Stream& stream, const Message& reply) {
  const std::size_t size = reply.ByteSizeLong();
  const std::size_t before = stream.out.size();
  stream.out += '\0';
  for (int shift = 24; shift >= 0; shift -= 8)
    stream.out += static_cast<char>(size >> shift & 0xff);
  reply.AppendToString(&stream.out);
  pending_bytes_ += stream.out.size() - before;
}

/// Only the newest state counts: what came between is merged into it.
void GrpcConnection::watch(Stream& stream) {
  stream.stale = false;
  wire::agones::GameServer now;
  if (host_.call(Method::watch_game_server, wire::agones::Empty::default_instance(), now).ok())
    append_message(stream, now);
}

void GrpcConnection::begin_reply(std::int32_t id, Stream& stream) {
  stream.replying = true;
  const std::array headers{header(":status", "200"), header("content-type", "application/grpc"),
                           header("grpc-accept-encoding", "identity")};
  const nghttp2_data_provider source{{.ptr = nullptr}, Callbacks::read};
  nghttp2_submit_response(session_, id, headers.data(), headers.size(), &source);
}

/// The whole reply in one set of headers.
void GrpcConnection::refuse(std::int32_t id, Stream& stream, const Status& status) {
  if (std::exchange(stream.refused, true)) return;
  pending_bytes_ -= stream.pending();
  stream.in.clear(), stream.message.clear(), stream.out.clear();
  stream.sent = 0;
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = percent_encoded(status.message);
  const std::array headers{header(":status", "200"), header("content-type", "application/grpc"),
                           header("grpc-status", code), header("grpc-message", message)};
  nghttp2_submit_response(session_, id, headers.data(), headers.size(), nullptr);
}

void GrpcConnection::refuse_http(std::int32_t id, Stream& stream, const char* http_status) {
  stream.refused = true;
  const std::array headers{header(":status", http_status)};
  nghttp2_submit_response(session_, id, headers.data(), headers.size(), nullptr);
}

}  // namespace muster::agones
