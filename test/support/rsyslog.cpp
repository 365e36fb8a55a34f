#include "test/support/rsyslog.h"

#include <fstream>
#include <sstream>
#include <thread>

#include "test/support/port.h"
#include "test/support/server_folder.h"

namespace dr::test {
namespace {

bool udp_is_bound(std::uint16_t port) {
  std::ifstream table("/proc/net/udp");
  std::ostringstream wanted;
  wanted << ':' << std::uppercase << std::hex << port << ' ';
  for (std::string line; std::getline(table, line);) {
    // "0: 0100007F:1F90 00000000:0000 …": the local address comes first.
    if (line.substr(0, line.find(" 00000000:")).append(" ").find(wanted.str()) !=
        std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

Authority::Authority() {
  run_or_throw({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=test authority", "-keyout", key("ca"), "-out", certificate()});
}

void Authority::sign(const std::string& name, const std::string& subject_alt_name) const {
  const std::string request = (folder_ / "request.pem").string();
  const std::string extensions = (folder_ / "extensions").string();
  std::ofstream(extensions) << "subjectAltName=" << subject_alt_name << '\n';
  run_or_throw({"openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name,
                "-keyout", key(name), "-out", request});
  run_or_throw({"openssl", "x509", "-req", "-in", request, "-CA", certificate(), "-CAkey",
                key("ca"), "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out",
                certificate(name)});
}

std::string Authority::certificate(const std::string& name) const {
  return (folder_ / (name + ".pem")).string();
}
std::string Authority::key(const std::string& name) const {
  return (folder_ / (name + ".key")).string();
}

Rsyslog::Rsyslog(const Authority* authority, std::string certificate, bool clients)
    : port_(free_port()), tls_(authority != nullptr) {
  std::ofstream conf(folder_ / "rsyslog.conf");
  conf << "global(workDirectory=\"" << folder_.path().string() << "\" maxMessageSize=\"64k\"";
  if (tls_) {
    conf << "\n  defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\""
         << authority->certificate() << "\"\n  defaultNetstreamDriverCertFile=\""
         << authority->certificate(certificate) << "\" defaultNetstreamDriverKeyFile=\""
         << authority->key(certificate) << '"';
  }
  conf << ")\n"
       << (tls_ ? "module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" "
                  "StreamDriver.AuthMode=\"" +
                      std::string(clients ? "x509/certvalid" : "anon") + "\")\n"
                : "module(load=\"imudp\")\n")
       << "template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n"
       << "ruleset(name=\"repository\") { action(type=\"omfile\" file=\""
       << (folder_ / "received").string() << "\" template=\"raw\" asyncWriting=\"off\") }\n"
       << "input(type=\"" << (tls_ ? "imtcp" : "imudp") << "\" port=\"" << port_
       << "\" address=\"127.0.0.1\" ruleset=\"repository\")\n";
  conf.close();
  start();
}

void Rsyslog::start() {
  process_ = std::make_unique<Process>(
      Command{.argv = {"/usr/sbin/rsyslogd", "-n", "-f", (folder_ / "rsyslog.conf").string(), "-i",
                       (folder_ / "pid").string()},
              .folder = "/",
              .output = folder_ / "log"});
  wait_until_ready(*process_, [this] { return tls_ ? is_listening(port_) : udp_is_bound(port_); });
}

std::vector<std::string> Rsyslog::messages() const {
  std::istringstream in(read_text(folder_ / "received"));
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line) && !in.eof();) all.push_back(std::move(line));
  return all;
}

std::vector<std::string> Rsyslog::wait_for(std::size_t count) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    auto all = messages();
    if (all.size() >= count || std::chrono::steady_clock::now() > end) return all;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace dr::test
