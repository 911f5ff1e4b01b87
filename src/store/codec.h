#pragma once
// The core's values as bytes and back, for the journal and its snapshots. Works on any aggregate,
// field by field in order (Boost.PFR), so a field that is added cannot be forgotten here.
//
// How data outlives its build: a struct is written as the number of its fields and then each. A
// newer build reads what an older one wrote, if it only ever appends: fields at the end of a struct
// (one that is missing keeps its default), alternatives at the end of a variant, enumerators at the
// end of an enum. (No release has a journal yet. Files of the first that has are to be kept for a
// test to read.)
//
//   unsigned, bool, enum    LEB128
//   signed                  zigzag, LEB128 (durations and times: in nanoseconds)
//   double                  8 bytes, little-endian
//   string                  length, bytes
//   vector, map, set, …     length, elements in order
//   optional, pointer       0, or 1 and the value
//   variant                 index, the value
//   array<u8, N>            N bytes
//   a class with save/load  as these say (pools, heaps)

#include <bit>
#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/timer_heap.h"

namespace muster::store {

using Bytes = std::span<const std::byte>;

namespace codec_detail {

template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool is_time = false;
template <class Clock, class D>
inline constexpr bool is_time<std::chrono::time_point<Clock, D>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;
template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;
template <class T>
inline constexpr bool is_byte_array = false;
template <std::size_t N>
inline constexpr bool is_byte_array<std::array<std::uint8_t, N>> = true;
template <class T>
inline constexpr bool is_pointer = false;
template <class T>
inline constexpr bool is_pointer<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_pointer<std::unique_ptr<T>> = true;
template <class T>
concept Sequence = requires(T& t, typename T::value_type v) {
  t.begin();
  t.size();
  t.insert(t.end(), std::move(v));
};

}  // namespace codec_detail

/// Appends values to a string.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void raw(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }

  template <class T>
  void put(const T& value) {
    using namespace codec_detail;
    if constexpr (std::is_same_v<T, std::string>) {
      varint(value.size());
      out_ += value;
    } else if constexpr (std::is_same_v<T, double>) {
      const auto bits = std::bit_cast<std::uint64_t>(value);
      static_assert(std::endian::native == std::endian::little);
      raw(&bits, sizeof bits);
    } else if constexpr (std::is_enum_v<T>) {
      varint(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      const auto wide = static_cast<std::int64_t>(value);
      varint(static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63));
    } else if constexpr (std::is_integral_v<T>) {
      varint(value);
    } else if constexpr (is_duration<T>) {
      put(static_cast<std::int64_t>(value.count()));
    } else if constexpr (is_time<T>) {
      put(value.time_since_epoch());
    } else if constexpr (is_byte_array<T>) {
      raw(value.data(), value.size());
    } else if constexpr (is_variant<T>) {
      varint(value.index());
      std::visit([this](const auto& alternative) { this->put(alternative); }, value);
    } else if constexpr (is_pair<T>) {
      put(value.first);
      put(value.second);
    } else if constexpr (is_pointer<T> || requires { value.has_value(); }) {
      varint(value ? 1 : 0);
      if (value) put(*value);
    } else if constexpr (requires { value.save(*this); }) {
      value.save(*this);
    } else if constexpr (Sequence<T>) {
      varint(value.size());
      for (const auto& element : value) put(element);
    } else {
      static_assert(std::is_aggregate_v<T>, "this type needs a case of its own");
      varint(boost::pfr::tuple_size_v<T>);
      if constexpr (boost::pfr::tuple_size_v<T> > 0)
        boost::pfr::for_each_field(value, [this](const auto& field) { this->put(field); });
    }
  }

 private:
  std::string& out_;
};

/// Takes values from the front of some bytes. Once something does not fit, ok() is false for good
/// and what is read afterwards is meaningless; nothing is ever read past the end, and nothing
/// allocated that the bytes left could not fill.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size(); }
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_ = bytes_.subspan(1);
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  void raw(void* data, std::size_t size) {
    if (size > bytes_.size()) return fail();
    std::memcpy(data, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }

  /// A timer that was read, where it is going to stay: to be linked to its heap.
  void loaded(TimerId& timer) { timers_.push_back(&timer); }
  const std::vector<TimerId*>& timers() const { return timers_; }

  template <class T>
  void get(T& value) {
    using namespace codec_detail;
    if constexpr (std::is_same_v<T, std::string>) {
      const std::uint64_t size = length();
      value.assign(reinterpret_cast<const char*>(bytes_.data()), size);
      bytes_ = bytes_.subspan(size);
    } else if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      raw(&bits, sizeof bits);
      value = std::bit_cast<double>(bits);
    } else if constexpr (std::is_same_v<T, bool>) {
      const std::uint64_t read = varint();
      if (read > 1) return fail();
      value = read == 1;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> number{};
      get(number);
      value = static_cast<T>(number);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      const std::uint64_t read = varint();
      const auto wide = static_cast<std::int64_t>(read >> 1 ^ (~(read & 1) + 1));
      if (!std::in_range<T>(wide)) return fail();
      value = static_cast<T>(wide);
    } else if constexpr (std::is_integral_v<T>) {
      const std::uint64_t read = varint();
      if (!std::in_range<T>(read)) return fail();
      value = static_cast<T>(read);
    } else if constexpr (is_duration<T>) {
      std::int64_t count = 0;
      get(count);
      value = T{count};
    } else if constexpr (is_time<T>) {
      typename T::duration since{};
      get(since);
      value = T{since};
    } else if constexpr (is_byte_array<T>) {
      raw(value.data(), value.size());
    } else if constexpr (is_variant<T>) {
      get_variant(value, std::make_index_sequence<std::variant_size_v<T>>{});
    } else if constexpr (is_pair<T>) {
      get(const_cast<std::remove_const_t<typename T::first_type>&>(value.first));
      get(value.second);
    } else if constexpr (is_pointer<T>) {
      auto made = std::make_unique<std::remove_const_t<typename T::element_type>>();
      if (has()) {
        get(*made);
        value = std::move(made);
      } else {
        value = nullptr;
      }
    } else if constexpr (requires { value.has_value(); }) {
      if (has())
        get(value.emplace());
      else
        value.reset();
    } else if constexpr (requires { value.load(*this); }) {
      value.load(*this);
    } else if constexpr (Sequence<T>) {
      value.clear();
      for (std::uint64_t n = length(); n > 0 && ok_; --n) {
        typename T::value_type element{};
        get(element);
        value.insert(value.end(), std::move(element));
      }
    } else {
      static_assert(std::is_aggregate_v<T>, "this type needs a case of its own");
      std::uint64_t written = varint();
      if (written > boost::pfr::tuple_size_v<T>) return fail();  // A newer build's.
      if constexpr (boost::pfr::tuple_size_v<T> > 0)
        boost::pfr::for_each_field(value, [&](auto& field) {
          if (written > 0) --written, this->get(field);
        });
    }
  }

 private:
  // Of something that takes at least a byte each.
  std::uint64_t length() {
    const std::uint64_t size = varint();
    if (size <= bytes_.size()) return size;
    fail();
    return 0;
  }
  bool has() {
    const std::uint64_t read = varint();
    if (read > 1) fail();
    return ok_ && read == 1;
  }
  template <class T, std::size_t... Is>
  void get_variant(T& value, std::index_sequence<Is...>) {
    const std::uint64_t index = varint();
    if (index >= sizeof...(Is)) return fail();
    ((index == Is ? get(value.template emplace<Is>()) : void()), ...);
  }

  Bytes bytes_;
  bool ok_ = true;
  std::vector<TimerId*> timers_;
};

}  // namespace muster::store
