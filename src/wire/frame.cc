#include "wire/frame.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include "base/check.h"

namespace muster::wire {

void append_frame(std::string& out, const google::protobuf::MessageLite& message) {
  const std::size_t payload = message.ByteSizeLong();
  const std::size_t start = out.size();
  out.resize(start + FrameReader::header_bytes + payload);
  auto* at = reinterpret_cast<std::uint8_t*>(out.data() + start);
  for (unsigned shift = 0; shift < 32; shift += 8)
    *at++ = static_cast<std::uint8_t>(payload >> shift);
  google::protobuf::io::ArrayOutputStream array(at, static_cast<int>(payload));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&stream);
  CHECK(!stream.HadError(), "there is room for exactly the message");
}

}  // namespace muster::wire
