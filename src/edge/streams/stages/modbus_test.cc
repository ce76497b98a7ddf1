// SPDX-License-Identifier: Apache-2.0
// The source modbus against libmodbus' own server.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <modbus/modbus.h>
#include <sys/socket.h>

#include <array>
#include <atomic>

#include "edge/streams/modbus_fields.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWords = 200;
constexpr int kBits = 16;

/// Answers one client after the other on a free port, from tables that the test fills.
class Server {
 public:
  explicit Server(int port = 0) : context_(::modbus_new_tcp("127.0.0.1", port)) {
    map_ = ::modbus_mapping_new(kBits, kBits, kWords, kWords);
    listener_ = ::modbus_tcp_listen(context_, 1);
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { run(); });
  }
  ~Server() {
    stopped_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    hang_up();
    thread_.join();
    ::close(listener_);
    ::modbus_mapping_free(map_);
    ::modbus_free(context_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }
  modbus_mapping_t& map() { return *map_; }
  void hang_up() {
    if (const int client = client_; client >= 0) ::shutdown(client, SHUT_RDWR);
  }
  std::atomic<int> requests = 0;
  std::atomic<bool> silent = false;

 private:
  void run() {
    while (!stopped_) {
      int listener = listener_;
      if (::modbus_tcp_accept(context_, &listener) < 0) return;
      client_ = ::modbus_get_socket(context_);
      std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> query{};
      for (int size = 0; !stopped_ && size >= 0;) {
        size = ::modbus_receive(context_, query.data());
        if (size <= 0) continue;
        ++requests;
        if (!silent) ::modbus_reply(context_, query.data(), size, map_);
      }
      client_ = -1;
      ::modbus_close(context_);
    }
  }

  modbus_t* context_;
  modbus_mapping_t* map_ = nullptr;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> client_ = -1;
  std::atomic<bool> stopped_ = false;
  std::jthread thread_;
};

class ModbusTest : public ::testing::Test {
 protected:
  std::unique_ptr<SourceStage> make(int port, const std::string& options) {
    auto source = testing::make_source("modbus", "{host: 127.0.0.1, port: " + std::to_string(port) + ", " + options + "}");
    EXPECT_TRUE(source) << source.error().message;
    EXPECT_TRUE((*source)->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));
    return std::move(*source);
  }
  std::string poll(SourceStage& source) {
    const auto more = source.produce(caught_);
    return more ? "" : more.error().message;
  }
  FakeClock clock_;
  testing::Caught caught_;
};

TEST_F(ModbusTest, ReadsEveryTypeInOneRequestATable) {
  Server server;
  auto& map = server.map();
  map.tab_registers[10] = 0xFFFE;                           // -2
  ::modbus_set_float_abcd(21.5F, &map.tab_registers[11]);   // high word first
  ::modbus_set_float_cdab(-3.25F, &map.tab_registers[13]);  // low word first
  map.tab_registers[15] = 0xFFFF;                           // uint32 4294967295
  map.tab_registers[16] = 0xFFFF;
  for (int i = 0; i < 4; ++i) map.tab_registers[17 + i] = i == 3 ? 0xFFFD : 0xFFFF;  // int64 -3
  map.tab_registers[21] = 0x3930;                                                    // bytes swapped: 12345
  map.tab_input_registers[0] = 215;
  map.tab_bits[3] = 1;
  map.tab_input_bits[0] = 1;
  const auto source = make(server.port(), R"(period_ms: 100, fields: {
    a: {address: 10, type: int16}, b: {address: 11, type: float32, unit: degC}, c: {address: 13, type: float32, order: cdab},
    d: {address: 15, type: uint32}, e: {address: 17, type: int64}, f: {address: 21, order: badc},
    g: {table: input, address: 0, type: uint16, scale: 0.1, offset: -1, unit: bar},
    h: {table: coils, address: 3}, i: {table: discrete, address: 0}, j: {table: discrete, address: 1}})");
  const auto schema = source->bind();
  EXPECT_EQ(to_string(*schema->find("b")), "double degC");
  EXPECT_EQ(to_string(*schema->find("g")), "double bar");
  EXPECT_EQ(to_string(*schema->find("e")), "int64");
  EXPECT_EQ(schema->rate_hz, 10.0);
  ASSERT_EQ(poll(*source), "");
  ASSERT_EQ(caught_.items.size(), 1U);
  const Item& item = caught_.items[0];
  EXPECT_EQ(item.sequence, 1U);
  EXPECT_EQ(item.event_time, clock_.wall_now());
  EXPECT_EQ(*item.get<std::int64_t>("a"), -2);
  EXPECT_EQ(*item.get<double>("b"), 21.5);
  EXPECT_EQ(*item.get<double>("c"), -3.25);
  EXPECT_EQ(*item.get<std::int64_t>("d"), 4294967295);
  EXPECT_EQ(*item.get<std::int64_t>("e"), -3);
  EXPECT_EQ(*item.get<std::int64_t>("f"), 12345);
  EXPECT_DOUBLE_EQ(*item.get<double>("g"), 20.5);
  EXPECT_EQ(*item.get<std::int64_t>("h"), 1);
  EXPECT_EQ(*item.get<std::int64_t>("i"), 1);
  EXPECT_EQ(*item.get<std::int64_t>("j"), 0);
  EXPECT_EQ(server.requests, 4);
}

TEST_F(ModbusTest, KeepsItsScheduleAndCountsWhatItMissed) {
  Server server;
  const auto source = make(server.port(), "period_ms: 100, fields: {a: {address: 0}, slow: {address: 1, every: 3}}");
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(poll(*source), "");
    clock_.advance(100 * kMillisecond);
  }
  ASSERT_EQ(caught_.items.size(), 4U);
  EXPECT_NE(caught_.items[0].find("slow"), nullptr);
  EXPECT_EQ(caught_.items[1].find("slow"), nullptr);
  EXPECT_NE(caught_.items[3].find("slow"), nullptr);
  EXPECT_EQ(caught_.items[3].emitted - caught_.items[0].emitted, 300 * kMillisecond);
  clock_.advance(550 * kMillisecond);
  ASSERT_EQ(poll(*source), "");
  EXPECT_EQ(source->missed(), 5U);
  EXPECT_EQ(caught_.items[4].emitted - caught_.items[0].emitted, 900 * kMillisecond);
}

TEST_F(ModbusTest, AnExceptionIsCountedInWordsAndTheRestIsThere) {
  Server server;
  server.map().tab_registers[7] = 7;
  const auto source =
      make(server.port(), "period_ms: 1, fields: {a: {address: 7}, gone: {address: 5000}, b: {table: coils, address: 900}}");
  ASSERT_EQ(poll(*source), "");
  EXPECT_THAT(caught_.reasons, ElementsAre("illegal data address", "illegal data address"));
  ASSERT_EQ(caught_.items.size(), 1U);
  EXPECT_EQ(*caught_.items[0].get<std::int64_t>("a"), 7);
  EXPECT_EQ(caught_.items[0].fields.size(), 1U);
  EXPECT_EQ(server.requests, 3) << "the connection goes on";
}

TEST_F(ModbusTest, ValuesThatAreNoNumbersAreLeftOut) {
  Server server;
  server.map().tab_registers[0] = 0x7FC0;
  const auto source = make(server.port(), "period_ms: 1, fields: {a: {address: 0, type: float32}, b: {address: 2}}");
  ASSERT_EQ(poll(*source), "");
  EXPECT_THAT(caught_.reasons, ElementsAre("not a number"));
  EXPECT_EQ(caught_.items[0].fields.size(), 1U);
}

TEST_F(ModbusTest, ASilentOrAbsentServerIsAnErrorThatMayGoAway) {
  auto server = std::make_unique<Server>();
  const int port = server->port();
  const auto source = make(port, "period_ms: 1, timeout_ms: 30, fields: {a: {address: 0}}");
  ASSERT_EQ(poll(*source), "");
  server->silent = true;
  clock_.advance(kMillisecond);
  EXPECT_THAT(poll(*source), HasSubstr("read 1 at 0: nothing within 30.0 ms, expected an answer"));
  ASSERT_TRUE(source->close());
  server.reset();
  EXPECT_THAT(poll(*source), HasSubstr("connect: Connection refused"));
  ASSERT_TRUE(source->close());
  server = std::make_unique<Server>(port);
  EXPECT_EQ(poll(*source), "");
  EXPECT_EQ(caught_.items.size(), 2U);
}

TEST_F(ModbusTest, ALostConnectionIsMadeAgainByTheStream) {
  Server server;
  const auto document = ConfigObject::parse(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: plc}
spec:
  stages:
    - {name: plc, stage: modbus, options: {host: 127.0.0.1, port: )" +
                                                std::to_string(server.port()) +
                                                R"(, period_ms: 1, items: 400, fields: {a: {address: 0}}}}
    - {name: results, stage: "null", inputs: [plc]}
)",
                                            "plc.yaml");
  const auto spec = read_stream(*document);
  ASSERT_TRUE(spec) << spec.error().message;
  auto stream = Stream::start(*spec, {.clock = &system_clock(), .resources = {}, .stream = {}, .stop = {}});
  ASSERT_TRUE(stream) << stream.error().message;
  while (server.requests < 50) std::this_thread::yield();
  server.hang_up();
  while (!(*stream)->finished()) std::this_thread::yield();
  const auto state = (*stream)->state();
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(state.items, 400U);
  EXPECT_THAT(state.last_error, HasSubstr("plc: modbus 127.0.0.1"));
}

TEST(ModbusFields, NeighboursShareARequestUpToWhatAnAnswerHolds) {
  std::string text = "{";
  for (int i = 0; i < 130; ++i) text += "r" + std::to_string(i) + ": {address: " + std::to_string(i) + "}, ";
  text += "apart: {address: 131}, other: {address: 129, table: input}, wide: {address: 128, type: float64}}";
  const auto fields = read_modbus_fields(*ConfigObject::parse(text, "test.yaml"));
  ASSERT_TRUE(fields) << fields.error().message;
  std::vector<std::size_t> counts;
  for (const auto& block : modbus_blocks(*fields)) counts.push_back(block.count);
  EXPECT_THAT(counts, ElementsAre(125U, 7U, 1U));  // 125 to 131, since the wide one reaches over the gap
}

TEST(ModbusFields, MistakesHaveTheirLine) {
  const auto mistake = [](const std::string& options) {
    const auto source = testing::make_source("modbus", options);
    return source ? std::string("none") : source.error().message;
  };
  EXPECT_THAT(mistake("{host: a, fields: {x: {adress: 1}}}"), HasSubstr("did you mean 'address'"));
  EXPECT_THAT(mistake("{host: a, fields: {x: {address: 65535, type: int32}}}"), HasSubstr("expected that it ends at 65535"));
  EXPECT_THAT(mistake("{host: a, fields: {x: {address: 1, table: coils, type: int16}}}"), HasSubstr("type"));
  EXPECT_THAT(mistake("{host: a, fields: {x: 7}}"), HasSubstr("expected a name without a dot and"));
  EXPECT_THAT(mistake("{host: a, fields: {}}"), HasSubstr("expected a map of fields"));
  EXPECT_THAT(mistake("{host: a, unit: 250, fields: {x: {address: 1}}}"), HasSubstr("test.yaml:1: found unit 250"));
}

TEST(ModbusExample, RunsAgainstAServer) {
  Server server;
  ::modbus_set_float_abcd(1.5F, server.map().tab_input_registers);
  const StageSpec& spec = *find_stage("modbus");
  std::string example(spec.example);
  example.replace(example.find("port: 502"), 9, "port: " + std::to_string(server.port()));
  testing::run_example(spec, all_stages(), example);
}

}  // namespace
}  // namespace moru::edge
