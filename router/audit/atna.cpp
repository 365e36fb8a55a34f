#include "router/audit/atna.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string_view>

#include <openssl/evp.h>

#include "db/text.h"

namespace dr::audit::atna {
namespace {

/// The character at the head of `text`, well-formed UTF-8, which loses it.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t octets = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  char32_t character = octets == 1 ? first : first & (0x7fU >> octets);
  for (std::size_t i = 1; i < octets; ++i) {
    character = character << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  text.remove_prefix(octets);
  return character;
}

/// What the production Char (XML 1.0, 2.2) leaves out, by reference or not.
bool is_xml(char32_t c) {
  return (c >= 0x20 && c != 0xfffe && c != 0xffff) || c == '\t' || c == '\n' || c == '\r';
}

std::string escaped(const std::string& text) {
  const std::string clean = db::clean_text(text, std::numeric_limits<std::size_t>::max());
  std::string out;
  for (std::string_view rest = clean; !rest.empty();) {
    char32_t c = take_character(rest);
    if (!is_xml(c)) c = 0xfffd;
    const bool plain = c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"';
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += "&#" + std::to_string(static_cast<std::uint32_t>(c)) + ';';
    }
  }
  return out;
}

std::string base64(const std::string& octets) {
  std::string out(4 * ((octets.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(octets.data()),
                                     static_cast<int>(octets.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

/// Elements are written by hand, each where the schema has it.
class Xml {
 public:
  Xml& open(std::string_view name) {
    text_.append("<").append(name);
    return *this;
  }
  Xml& attribute(std::string_view name, const std::string& value) {
    text_.append(" ").append(name).append("=\"").append(escaped(value)).append("\"");
    return *this;
  }
  Xml& attribute_if(std::string_view name, const std::string& value) {
    return value.empty() ? *this : attribute(name, value);
  }
  void inside() { text_ += '>'; }
  void end() { text_ += "/>"; }
  void close(std::string_view name) { text_.append("</").append(name).append(">"); }
  void code(std::string_view name, const Code& code) {
    open(name)
        .attribute("csd-code", code.value)
        .attribute("codeSystemName", code.scheme)
        .attribute("originalText", code.meaning)
        .end();
  }
  void element(std::string_view name, const std::string& content) {
    open(name).inside();
    text_ += escaped(content);
    close(name);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
};

void add_event(Xml& xml, const Message& message) {
  xml.open("EventIdentification")
      .attribute("EventActionCode", std::string(1, message.action))
      .attribute("EventDateTime", utc_text(message.time))
      .attribute("EventOutcomeIndicator", std::to_string(static_cast<int>(message.outcome)))
      .inside();
  xml.code("EventID", message.event);
  for (const Code& type : message.event_types) xml.code("EventTypeCode", type);
  if (!message.outcome_description.empty()) {
    xml.element("EventOutcomeDescription", message.outcome_description);
  }
  xml.close("EventIdentification");
}

void add_participant(Xml& xml, const Participant& who) {
  xml.open("ActiveParticipant")
      .attribute("UserID", who.user_id)
      .attribute_if("AlternativeUserID", who.alternative_user_id)
      .attribute("UserIsRequestor", who.is_requestor ? "true" : "false");
  if (!who.address.empty()) {
    xml.attribute("NetworkAccessPointID", who.address)
        .attribute("NetworkAccessPointTypeCode", who.address_is_name ? "1" : "2");
  }
  xml.inside();
  if (who.role) xml.code("RoleIDCode", *who.role);
  xml.close("ActiveParticipant");
}

void add_object(Xml& xml, const Object& object) {
  xml.open("ParticipantObjectIdentification")
      .attribute("ParticipantObjectID", object.id)
      .attribute("ParticipantObjectTypeCode", std::string(1, object.type))
      .attribute("ParticipantObjectTypeCodeRole", object.role)
      .inside();
  xml.code("ParticipantObjectIDTypeCode", object.id_type);
  xml.element("ParticipantObjectName", "");  // the schema wants one; names of patients are not kept
  for (const auto& [type, value] : object.details) {
    xml.open("ParticipantObjectDetail")
        .attribute("type", type)
        .attribute("value", base64(value))
        .end();
  }
  if (!object.sop_classes.empty()) {
    xml.open("ParticipantObjectDescription").inside();
    for (const SopClass& sop : object.sop_classes) {
      xml.open("SOPClass")
          .attribute("UID", sop.uid)
          .attribute("NumberOfInstances", std::to_string(sop.instances.size()))
          .inside();
      for (const std::string& uid : sop.instances) xml.open("Instance").attribute("UID", uid).end();
      xml.close("SOPClass");
    }
    xml.close("ParticipantObjectDescription");
  }
  xml.close("ParticipantObjectIdentification");
}

}  // namespace

std::string to_xml(const Message& message) {
  Xml xml;
  xml.open("AuditMessage").inside();
  add_event(xml, message);
  for (const Participant& who : message.participants) add_participant(xml, who);
  xml.open("AuditSourceIdentification").attribute("AuditSourceID", message.source).inside();
  xml.open("AuditSourceTypeCode").attribute("csd-code", "4").end();  // application server process
  xml.close("AuditSourceIdentification");
  for (const Object& object : message.objects) add_object(xml, object);
  xml.close("AuditMessage");
  return xml.take();
}

std::string utc_text(UtcMicros time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t since = seconds.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&since, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> rest{};
  std::snprintf(rest.data(), rest.size(), ".%06dZ", static_cast<int>((time - seconds).count()));
  return std::string(date.data()) + rest.data();
}

}  // namespace dr::audit::atna
