#include "wire/classic_packet.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace muster::wire::classic {
namespace {

// What size and type a packet has is its identity: nothing else in the stream says what follows.
template <class T>
struct Shape;
template <>
struct Shape<ServerLogin> {
  static constexpr std::uint8_t size = 4, type = 100;
};
template <>
struct Shape<ServerReset> {
  static constexpr std::uint8_t size = 2, type = 101;
};
template <>
struct Shape<Login> {
  static constexpr std::uint8_t size = 44, type = 15;
};
template <>
struct Shape<SignUp> {
  static constexpr std::uint8_t size = 44, type = 16;
};
template <>
struct Shape<MatchRequest> {
  static constexpr std::uint8_t size = 4, type = 14;
};
template <>
struct Shape<ServerLoginOk> {
  static constexpr std::uint8_t size = 2, type = 1;
};
template <>
struct Shape<LoginOk> {
  static constexpr std::uint8_t size = 55, type = 1;
};
template <>
struct Shape<SignUpOk> {
  static constexpr std::uint8_t size = 3, type = 4;
};
template <>
struct Shape<MatchUpdate> {
  static constexpr std::uint8_t size = 6, type = 3;
};
template <>
struct Shape<MatchResponse> {
  static constexpr std::uint8_t size = 6, type = 2;
};
static_assert(Shape<LoginOk>::size == packet_bytes_max);

// One description of each packet's fields serves both directions: Writer and Parser visit them.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class Integer>
  void number(Integer value) {
    auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
      out_.push_back(static_cast<char>(bits & 0xff));
      bits = static_cast<decltype(bits)>(static_cast<std::uint64_t>(bits) >> 8);
    }
  }
  void text(const std::string& value) {
    const std::string_view cut = std::string_view(value).substr(0, text_bytes - 1);
    out_.append(cut);
    out_.append(text_bytes - cut.size(), '\0');
  }
  void bytes(const std::array<std::uint8_t, 20>& value) { out_.append(value.begin(), value.end()); }

 private:
  std::string& out_;
};

class Parser {
 public:
  explicit Parser(Bytes in) : in_(in) {}

  template <class Integer>
  void number(Integer& value) {
    std::make_unsigned_t<Integer> bits = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
      bits = static_cast<decltype(bits)>(bits | static_cast<decltype(bits)>(in_[i]) << (8 * i));
    value = static_cast<Integer>(bits);
    in_ = in_.subspan(sizeof(Integer));
  }
  void text(std::string& value) {
    const auto field = in_.first(text_bytes);
    value.assign(field.begin(), std::find(field.begin(), field.end(), 0));
    in_ = in_.subspan(text_bytes);
  }
  void bytes(std::array<std::uint8_t, 20>& value) {
    std::copy_n(in_.begin(), value.size(), value.begin());
    in_ = in_.subspan(value.size());
  }

 private:
  Bytes in_;
};

template <class V, class P>
concept either = std::is_same_v<std::remove_const_t<P>, V>;

template <class Visitor, class P>
void fields(Visitor& v, P& p) {
  if constexpr (either<ServerLogin, P>) {
    v.number(p.port);
  } else if constexpr (either<Login, P> || either<SignUp, P>) {
    v.text(p.name);
    v.text(p.password);
  } else if constexpr (either<MatchRequest, P>) {
    v.number(p.amount);
  } else if constexpr (either<LoginOk, P>) {
    v.number(p.id);
    v.text(p.name);
    v.number(p.success);
    v.number(p.coin);
    v.number(p.skin);
    v.number(p.items);
    v.bytes(p.item);
  } else if constexpr (either<SignUpOk, P>) {
    v.number(p.success);
  } else if constexpr (either<MatchUpdate, P>) {
    v.number(p.players);
  } else if constexpr (either<MatchResponse, P>) {
    v.number(p.port);
    v.number(p.player_type);
  } else {
    static_assert(either<ServerReset, P> || either<ServerLoginOk, P>, "a packet without fields");
  }
}

template <class Variant>
void append_any(std::string& out, const Variant& packet) {
  std::visit(
      [&]<class P>(const P& p) {
        const std::size_t start = out.size();
        out.push_back(static_cast<char>(Shape<P>::size));
        out.push_back(static_cast<char>(Shape<P>::type));
        Writer writer{out};
        fields(writer, p);
        CHECK(out.size() - start == Shape<P>::size, "the fields fill the packet exactly");
      },
      packet);
}

// Sets `packet` to an empty one of that size and type; false if there is none.
template <std::size_t I = 0, class Variant>
bool select(std::uint8_t size, std::uint8_t type, Variant& packet) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return false;
  } else {
    using P = std::variant_alternative_t<I, Variant>;
    if (Shape<P>::size != size || Shape<P>::type != type) return select<I + 1>(size, type, packet);
    packet.template emplace<I>();
    return true;
  }
}

template <class Variant>
bool possible_size(std::uint8_t size) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((Shape<std::variant_alternative_t<I, Variant>>::size == size) || ...);
  }(std::make_index_sequence<std::variant_size_v<Variant>>{});
}

}  // namespace

void append(std::string& out, const ToLobby& packet) { append_any(out, packet); }
void append(std::string& out, const FromLobby& packet) { append_any(out, packet); }

namespace detail {

template <class Packet>
Read next(Bytes& bytes, std::unique_ptr<std::array<std::uint8_t, packet_bytes_max>>& held,
          std::uint8_t& held_bytes, Packet& packet) {
  if (bytes.empty()) return Read::more;
  // The first two bytes decide at once, so that garbage is not waited for.
  const std::uint8_t size = held_bytes > 0 ? (*held)[0] : bytes[0];
  if (!possible_size<Packet>(size)) return Read::malformed;
  const std::size_t have = held_bytes + bytes.size();
  if (have >= 2) {
    const std::uint8_t type = held_bytes > 1 ? (*held)[1] : bytes[1u - held_bytes];
    if (!select(size, type, packet)) return Read::malformed;
  }
  if (have < size) {
    if (!held) held = std::make_unique<std::array<std::uint8_t, packet_bytes_max>>();
    std::copy(bytes.begin(), bytes.end(), held->begin() + held_bytes);
    held_bytes = static_cast<std::uint8_t>(have);
    bytes = {};
    return Read::more;
  }
  Bytes whole = bytes.first(size - held_bytes);
  bytes = bytes.subspan(whole.size());
  if (held_bytes > 0) {
    std::copy(whole.begin(), whole.end(), held->begin() + held_bytes);
    whole = Bytes(*held).first(size);
  }
  Parser parser{whole.subspan(2)};
  std::visit([&](auto& p) { fields(parser, p); }, packet);
  held.reset();
  held_bytes = 0;
  return Read::packet;
}

template Read next(Bytes&, std::unique_ptr<std::array<std::uint8_t, packet_bytes_max>>&,
                   std::uint8_t&, ToLobby&);
template Read next(Bytes&, std::unique_ptr<std::array<std::uint8_t, packet_bytes_max>>&,
                   std::uint8_t&, FromLobby&);

}  // namespace detail
}  // namespace muster::wire::classic
