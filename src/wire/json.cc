#include "wire/json.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "base/check.h"

namespace muster::wire {
namespace {

namespace pb = google::protobuf;
namespace json = boost::json;
using Field = pb::FieldDescriptor;

// ---- Writing.

void append_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        else
          out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_number(std::string& out, double number) {
  if (std::isnan(number))
    out += "\"NaN\"";
  else if (std::isinf(number))
    out += number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  else
    fmt::format_to(std::back_inserter(out), "{}", number);
}

void append_message(std::string& out, const pb::Message& message, bool show_defaults);

// One value of a field: the only one, or the `index`th of a repeated one.
void append_value(std::string& out, const pb::Message& m, const Field& f, int index,
                  bool show_defaults) {
  const pb::Reflection& r = *m.GetReflection();
  const bool many = f.is_repeated();
  const auto integer = [&](auto value, bool quoted) {
    if (quoted)
      fmt::format_to(std::back_inserter(out), "\"{}\"", value);
    else
      fmt::format_to(std::back_inserter(out), "{}", value);
  };
  switch (f.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return integer(many ? r.GetRepeatedInt32(m, &f, index) : r.GetInt32(m, &f), false);
    case Field::CPPTYPE_UINT32:
      return integer(many ? r.GetRepeatedUInt32(m, &f, index) : r.GetUInt32(m, &f), false);
    case Field::CPPTYPE_INT64:  // As text, since a reader may have nothing better than a double.
      return integer(many ? r.GetRepeatedInt64(m, &f, index) : r.GetInt64(m, &f), true);
    case Field::CPPTYPE_UINT64:
      return integer(many ? r.GetRepeatedUInt64(m, &f, index) : r.GetUInt64(m, &f), true);
    case Field::CPPTYPE_DOUBLE:
      return append_number(out, many ? r.GetRepeatedDouble(m, &f, index) : r.GetDouble(m, &f));
    case Field::CPPTYPE_BOOL:
      out += (many ? r.GetRepeatedBool(m, &f, index) : r.GetBool(m, &f)) ? "true" : "false";
      return;
    case Field::CPPTYPE_ENUM: {
      const int number = many ? r.GetRepeatedEnumValue(m, &f, index) : r.GetEnumValue(m, &f);
      const auto* value = f.enum_type()->FindValueByNumber(number);
      return value ? append_text(out, value->name()) : integer(number, false);
    }
    case Field::CPPTYPE_STRING: {
      std::string scratch;
      return append_text(out, many ? r.GetRepeatedStringReference(m, &f, index, &scratch)
                                   : r.GetStringReference(m, &f, &scratch));
    }
    case Field::CPPTYPE_MESSAGE:
      return append_message(out, many ? r.GetRepeatedMessage(m, &f, index) : r.GetMessage(m, &f),
                            show_defaults);
    case Field::CPPTYPE_FLOAT:
      break;
  }
  CHECK(false, "our messages have no field of this type");
}

void append_map(std::string& out, const pb::Message& m, const Field& f, bool show_defaults) {
  const pb::Reflection& r = *m.GetReflection();
  const Field& key = *f.message_type()->map_key();
  const Field& value = *f.message_type()->map_value();
  CHECK(key.cpp_type() == Field::CPPTYPE_STRING, "our maps are by text");
  std::vector<std::pair<std::string, const pb::Message*>> entries;
  for (int i = 0; i < r.FieldSize(m, &f); ++i) {
    const pb::Message& entry = r.GetRepeatedMessage(m, &f, i);
    entries.emplace_back(entry.GetReflection()->GetString(entry, &key), &entry);
  }
  std::sort(entries.begin(), entries.end());
  out.push_back('{');
  for (const auto& [name, entry] : entries) {
    if (out.back() != '{') out.push_back(',');
    append_text(out, name);
    out.push_back(':');
    append_value(out, *entry, value, 0, show_defaults);
  }
  out.push_back('}');
}

bool shown(const pb::Message& m, const Field& f, bool show_defaults) {
  const pb::Reflection& r = *m.GetReflection();
  if (f.is_repeated()) return show_defaults || r.FieldSize(m, &f) > 0;
  if (f.has_presence()) return r.HasField(m, &f);
  return show_defaults || r.HasField(m, &f);
}

void append_message(std::string& out, const pb::Message& m, bool show_defaults) {
  const pb::Descriptor& type = *m.GetDescriptor();
  out.push_back('{');
  bool first = true;
  for (int i = 0; i < type.field_count(); ++i) {
    const Field& f = *type.field(i);
    if (!shown(m, f, show_defaults)) continue;
    if (!std::exchange(first, false)) out.push_back(',');
    append_text(out, f.json_name());
    out.push_back(':');
    if (f.is_map()) {
      append_map(out, m, f, show_defaults);
    } else if (f.is_repeated()) {
      out.push_back('[');
      const int size = m.GetReflection()->FieldSize(m, &f);
      for (int k = 0; k < size; ++k) {
        if (k > 0) out.push_back(',');
        append_value(out, m, f, k, show_defaults);
      }
      out.push_back(']');
    } else {
      append_value(out, m, f, 0, show_defaults);
    }
  }
  out.push_back('}');
}

// ---- Reading.

struct Problem {
  std::string what;
  std::string path;  // Grows from the inside out: "seats", then "startMatch.seats".
};
using Refusal = std::optional<Problem>;  // Nothing: it went well.

Refusal problem(std::string what) { return Problem{std::move(what), {}}; }

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

template <class Integer>
std::optional<Integer> to_integer(const json::value& value) {
  constexpr Integer least = std::numeric_limits<Integer>::min();
  constexpr Integer most = std::numeric_limits<Integer>::max();
  if (const auto* n = value.if_int64()) {
    if (std::in_range<Integer>(*n)) return static_cast<Integer>(*n);
  } else if (const auto* u = value.if_uint64()) {
    if (std::in_range<Integer>(*u)) return static_cast<Integer>(*u);
  } else if (const auto* d = value.if_double()) {
    // 1e3 is whole. Beyond 2^53 a double is no longer exact about it.
    if (std::trunc(*d) == *d && std::abs(*d) <= 0x1p53 && *d >= static_cast<double>(least) &&
        *d <= static_cast<double>(most))
      return static_cast<Integer>(*d);
  } else if (const auto* text = value.if_string()) {
    Integer parsed{};
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
    if (error == std::errc{} && end == text->data() + text->size()) return parsed;
  }
  return std::nullopt;
}

std::optional<double> to_double(const json::value& value) {
  if (const auto* n = value.if_int64()) return static_cast<double>(*n);
  if (const auto* u = value.if_uint64()) return static_cast<double>(*u);
  if (const auto* d = value.if_double()) return *d;
  const auto* text = value.if_string();
  if (!text) return std::nullopt;
  if (*text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (*text == "Infinity") return std::numeric_limits<double>::infinity();
  if (*text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double d{};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), d);
  if (error == std::errc{} && end == text->data() + text->size() && std::isfinite(d)) return d;
  return std::nullopt;
}

Refusal read_message(const json::value& value, pb::Message& m);

Refusal within(std::string_view name, Refusal refusal) {
  if (refusal)
    refusal->path =
        refusal->path.empty() ? std::string(name) : fmt::format("{}.{}", name, refusal->path);
  return refusal;
}

// Sets a field, or adds to a repeated one.
Refusal read_value(const json::value& value, pb::Message& m, const Field& f) {
  const pb::Reflection& r = *m.GetReflection();
  const bool many = f.is_repeated();
  const auto store = [&]<class T>(const std::optional<T>& read, auto set, auto add,
                                  const char* wanted) -> Refusal {
    if (!read) return problem(wanted);
    many ? (r.*add)(&m, &f, *read) : (r.*set)(&m, &f, *read);
    return {};
  };
  using R = pb::Reflection;
  switch (f.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return store(to_integer<std::int32_t>(value), &R::SetInt32, &R::AddInt32,
                   "a whole number from -2147483648 to 2147483647 is needed");
    case Field::CPPTYPE_UINT32:
      return store(to_integer<std::uint32_t>(value), &R::SetUInt32, &R::AddUInt32,
                   "a whole number from 0 to 4294967295 is needed");
    case Field::CPPTYPE_INT64:
      return store(to_integer<std::int64_t>(value), &R::SetInt64, &R::AddInt64,
                   "a whole number from -2^63 to 2^63-1 is needed");
    case Field::CPPTYPE_UINT64:
      return store(to_integer<std::uint64_t>(value), &R::SetUInt64, &R::AddUInt64,
                   "a whole number from 0 to 2^64-1 is needed");
    case Field::CPPTYPE_DOUBLE:
      return store(to_double(value), &R::SetDouble, &R::AddDouble, "a number is needed");
    case Field::CPPTYPE_BOOL: {
      const auto* b = value.if_bool();
      return store(b ? std::optional(*b) : std::nullopt, &R::SetBool, &R::AddBool,
                   "true or false is needed");
    }
    case Field::CPPTYPE_ENUM: {
      std::optional<int> number;
      if (const auto* text = value.if_string()) {
        if (const auto* named = f.enum_type()->FindValueByName(std::string(view(*text))))
          number = named->number();
      } else {
        number = to_integer<std::int32_t>(value);
      }
      return store(number, &R::SetEnumValue, &R::AddEnumValue,
                   "one of the names in player.proto is needed");
    }
    case Field::CPPTYPE_STRING: {
      const auto* text = value.if_string();
      if (!text) return problem("a text is needed");
      many ? r.AddString(&m, &f, std::string(view(*text)))
           : r.SetString(&m, &f, std::string(view(*text)));
      return {};
    }
    case Field::CPPTYPE_MESSAGE:
      return read_message(value, many ? *r.AddMessage(&m, &f) : *r.MutableMessage(&m, &f));
    case Field::CPPTYPE_FLOAT:
      break;
  }
  CHECK(false, "our messages have no field of this type");
}

Refusal read_map(const json::value& value, pb::Message& m, const Field& f) {
  const auto* object = value.if_object();
  if (!object) return problem("an object is needed");
  for (const auto& member : *object) {
    pb::Message& entry = *m.GetReflection()->AddMessage(&m, &f);
    const std::string name(member.key());
    entry.GetReflection()->SetString(&entry, f.message_type()->map_key(), name);
    if (auto refusal = read_value(member.value(), entry, *f.message_type()->map_value()))
      return within(name, std::move(refusal));
  }
  return {};
}

Refusal read_field(const json::value& value, pb::Message& m, const Field& f) {
  if (value.is_null()) return {};
  const pb::OneofDescriptor* group = f.real_containing_oneof();
  if (group && m.GetReflection()->HasOneof(m, group))
    return problem(fmt::format("only one may be given, and there is {} already",
                               m.GetReflection()->GetOneofFieldDescriptor(m, group)->json_name()));
  if (f.is_map()) return read_map(value, m, f);
  if (!f.is_repeated()) return read_value(value, m, f);
  const auto* array = value.if_array();
  if (!array) return problem("a list is needed");
  for (const json::value& element : *array)
    if (auto refusal = read_value(element, m, f)) return refusal;
  return {};
}

const Field* find_field(const pb::Descriptor& type, std::string_view name) {
  for (int i = 0; i < type.field_count(); ++i)
    if (type.field(i)->json_name() == name || type.field(i)->name() == name) return type.field(i);
  return nullptr;
}

Refusal read_message(const json::value& value, pb::Message& m) {
  const auto* object = value.if_object();
  if (!object) return problem("an object is needed");
  for (const auto& member : *object) {
    const std::string_view name(member.key().data(), member.key().size());
    const Field* f = find_field(*m.GetDescriptor(), name);
    if (!f) return problem(fmt::format("there is no field \"{}\" here", name));
    if (auto refusal = read_field(member.value(), m, *f))
      return within(f->json_name(), std::move(refusal));
  }
  return {};
}

}  // namespace

void append_json(std::string& out, const pb::Message& message, bool show_defaults) {
  append_message(out, message, show_defaults);
}

std::expected<void, std::string> parse_json(std::string_view text, pb::Message& out) {
  out.Clear();
  std::array<unsigned char, 4096> values, stack;  // Larger ones take from the heap.
  json::monotonic_resource memory(values.data(), values.size());
  json::stream_parser parser({}, {}, stack.data(), stack.size());
  parser.reset(&memory);
  boost::system::error_code ec;
  const std::size_t used = parser.write_some(text.data(), text.size(), ec);
  if (ec) return std::unexpected(fmt::format("not JSON at byte {}: {}", used, ec.message()));
  if (!parser.done()) return std::unexpected(std::string("not JSON: it is cut off at its end"));
  if (used < text.size())
    return std::unexpected(fmt::format("not JSON at byte {}: something follows its end", used));
  const json::value value = parser.release();
  const Refusal refusal = read_message(value, out);
  if (!refusal) return {};
  return std::unexpected(
      refusal->path.empty() ? refusal->what : fmt::format("{}: {}", refusal->path, refusal->what));
}

}  // namespace muster::wire
