// SPDX-License-Identifier: Apache-2.0
#include "core/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace moru {
namespace {

using testing::HasSubstr;

ProcessOptions shell(std::string script) {
  return {.arguments = {"sh", "-c", std::move(script)}, .environment = {}, .output_file = {}, .working_folder = {}};
}

TEST(Process, GivesTheExitCode) {
  auto child = Process::start(shell("exit 7"));
  ASSERT_TRUE(child.has_value());
  const auto status = child->wait_for(30 * kSecond);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code, 7);
  EXPECT_EQ(status->signal, 0);
  EXPECT_EQ(child->poll()->code, 7);  // asked again, the answer stays
}

TEST(Process, GivesTheSignalThatEndedIt) {
  auto child = Process::start(shell("kill -KILL $$"));
  ASSERT_TRUE(child.has_value());
  const auto status = child->wait_for(30 * kSecond);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->signal, SIGKILL);
  EXPECT_EQ(status->code, 128 + SIGKILL);
}

TEST(Process, WaitGivesNothingWhenTheTimeIsOver) {
  auto child = Process::start({.arguments = {"sleep", "1000"}, .environment = {}, .output_file = {}, .working_folder = {}});
  ASSERT_TRUE(child.has_value());
  EXPECT_FALSE(child->wait_for(10 * kMillisecond).has_value());
  EXPECT_FALSE(child->poll().has_value());
  const auto status = child->stop();
  EXPECT_EQ(status.signal, SIGTERM);
}

TEST(Process, StopKillsAChildThatIgnoresTheRequest) {
  auto folder = TempFolder::create("moru-process");
  ASSERT_TRUE(folder.has_value());
  auto options = shell("trap '' TERM; echo ready; while true; do sleep 1; done");
  options.output_file = folder->path() / "out";
  auto child = Process::start(options);
  ASSERT_TRUE(child.has_value());
  const TimeNs deadline = system_clock().steady_now() + 30 * kSecond;
  while (read_file(folder->path() / "out").value_or("").empty() && system_clock().steady_now() < deadline) ::usleep(1000);
  const auto status = child->stop(20 * kMillisecond);
  EXPECT_EQ(status.signal, SIGKILL);
}

TEST(Process, DiesWithItsObject) {
  pid_t pid = 0;
  {
    auto child = Process::start({.arguments = {"sleep", "1000"}, .environment = {}, .output_file = {}, .working_folder = {}});
    ASSERT_TRUE(child.has_value());
    Process moved(std::move(*child));
    EXPECT_EQ(child->pid(), -1);
    pid = moved.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Process, SendsSignals) {
  auto child = Process::start({.arguments = {"sleep", "1000"}, .environment = {}, .output_file = {}, .working_folder = {}});
  ASSERT_TRUE(child.has_value());
  child->send_signal(SIGINT);
  const auto status = child->wait_for(30 * kSecond);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->signal, SIGINT);
  child->send_signal(SIGINT);  // to nobody: it has ended
}

TEST(Process, AppendsItsOutputToTheFile) {
  auto folder = TempFolder::create("moru-process");
  ASSERT_TRUE(folder.has_value());
  const Path out = folder->path() / "out";
  for (const char* word : {"one", "two"}) {
    auto options = shell(std::string("echo ") + word + "; echo to-stderr >&2");
    options.output_file = out;
    auto child = Process::start(options);
    ASSERT_TRUE(child.has_value());
    ASSERT_TRUE(child->wait_for(30 * kSecond).has_value());
  }
  EXPECT_EQ(read_file(out).value(), "one\nto-stderr\ntwo\nto-stderr\n");
}

TEST(Process, GivesItsOutputAndAChannelToTheChild) {
  int output[2];
  int channel[2];
  ASSERT_EQ(::pipe2(output, O_CLOEXEC), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
  auto options = shell("echo printed; echo complaint >&2; read word <&3; echo got $word >&3");
  options.output = output[1];
  options.channel = channel[1];
  auto child = Process::start(options);
  ::close(output[1]);
  ::close(channel[1]);
  ASSERT_TRUE(child.has_value());
  ASSERT_EQ(::write(channel[0], "hello\n", 6), 6);
  const auto read_all = [](int fd) {
    std::string text;
    char c = 0;
    while (::read(fd, &c, 1) == 1) text += c;
    ::close(fd);
    return text;
  };
  EXPECT_EQ(read_all(channel[0]), "got hello\n");
  EXPECT_EQ(read_all(output[0]), "printed\ncomplaint\n");
  ASSERT_TRUE(child->wait_for(30 * kSecond).has_value());
}

TEST(Process, StatusIsAWordForPeople) {
  EXPECT_EQ(to_string(ExitStatus{3, 0}), "exit code 3");
  EXPECT_EQ(to_string(ExitStatus{139, 11}), "signal 11 (SIGSEGV)");
}

TEST(Process, SaysWhyItCouldNotStart) {
  auto folder = TempFolder::create("moru-process");
  ASSERT_TRUE(folder.has_value());
  const auto start = [](std::vector<std::string> arguments, std::optional<Path> working_folder = {}) {
    return Process::start(
        {.arguments = std::move(arguments), .environment = {}, .output_file = {}, .working_folder = std::move(working_folder)});
  };
  EXPECT_EQ(start({}).error().code, ErrorCode::kInvalidArgument);
  const auto missing = start({"no-such-program-here"});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("install it"));
  EXPECT_EQ(start({folder->path()}).error().code, ErrorCode::kNotFound);  // a folder is no program
  ASSERT_TRUE(write_file_atomic(folder->path() / "bad",
                                "\x7f"
                                "ELFnot really",
                                0755)
                  .has_value());
  const auto bad = start({folder->path() / "bad"});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::kIo);
  EXPECT_THAT(bad.error().message, HasSubstr("Exec format error"));
  const auto nowhere = start({"sh", "-c", "true"}, folder->path() / "none");
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(nowhere.error().message, HasSubstr("none"));
}

TEST(RunAndCapture, GivesOutputAndCode) {
  const auto captured = run_and_capture(shell("printf 'a\\nb'; exit 3"), 30 * kSecond);
  ASSERT_TRUE(captured.has_value());
  EXPECT_EQ(captured->output, "a\nb");
  EXPECT_EQ(captured->status.code, 3);
}

TEST(RunAndCapture, KeepsStderrApart) {
  testing::internal::CaptureStderr();
  const auto captured = run_and_capture(shell("echo out; echo complaint >&2"), 30 * kSecond);
  const auto complaint = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(captured.has_value());
  EXPECT_EQ(captured->output, "out\n");
  EXPECT_EQ(complaint, "complaint\n");
}

TEST(RunAndCapture, UsesTheEnvironmentAndTheFolder) {
  ::setenv("MORU_TEST_WORD", "parent", 1);
  auto options = shell("echo $MORU_TEST_WORD $MORU_TEST_OTHER; pwd -P");
  options.environment = {{"MORU_TEST_WORD", "child"}, {"MORU_TEST_OTHER", "x=y"}};
  options.working_folder = "/usr";
  const auto captured = run_and_capture(options, 30 * kSecond);
  ASSERT_TRUE(captured.has_value());
  EXPECT_EQ(captured->output, "child x=y\n/usr\n");
}

TEST(RunAndCapture, StdinIsEmpty) {
  EXPECT_EQ(
      run_and_capture({.arguments = {"cat"}, .environment = {}, .output_file = {}, .working_folder = {}}, 30 * kSecond).value().output, "");
}

TEST(RunAndCapture, TakesMoreThanAPipeHolds) {
  const auto captured = run_and_capture(shell("head -c 1000000 /dev/zero"), 60 * kSecond);
  ASSERT_TRUE(captured.has_value());
  EXPECT_EQ(captured->output.size(), 1'000'000U);
}

TEST(RunAndCapture, EndsWhatTakesTooLongOrWritesTooMuch) {
  const auto slow =
      run_and_capture({.arguments = {"sleep", "1000"}, .environment = {}, .output_file = {}, .working_folder = {}}, 20 * kMillisecond);
  ASSERT_FALSE(slow.has_value());
  EXPECT_EQ(slow.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(slow.error().message, HasSubstr("'sleep': did not end in time"));
  const auto silent = run_and_capture(shell("exec >&-; exec sleep 1000"), 20 * kMillisecond);
  ASSERT_FALSE(silent.has_value());
  EXPECT_EQ(silent.error().code, ErrorCode::kDeadlineExceeded);
  const auto loud =
      run_and_capture({.arguments = {"cat", "/dev/zero"}, .environment = {}, .output_file = {}, .working_folder = {}}, 60 * kSecond);
  ASSERT_FALSE(loud.has_value());
  EXPECT_EQ(loud.error().code, ErrorCode::kResourceExhausted);
}

TEST(FindProgram, SearchesPathAndTakesFilesOnly) {
  auto folder = TempFolder::create("moru-path");
  ASSERT_TRUE(folder.has_value());
  const char* found = std::getenv("PATH");
  const std::string old = found != nullptr ? found : "/usr/bin:/bin";
  ASSERT_TRUE(make_folders(folder->path() / "a/moru-tool").has_value());
  ASSERT_TRUE(make_folders(folder->path() / "b").has_value());
  ASSERT_TRUE(write_file_atomic(folder->path() / "b/moru-tool", "#!/bin/sh\n", 0755).has_value());
  ASSERT_TRUE(write_file_atomic(folder->path() / "b/moru-text", "words", 0644).has_value());
  ::setenv("PATH", fmt::format("{0}/a::{0}/b", folder->path().string()).c_str(), 1);
  EXPECT_EQ(find_program("moru-tool"), folder->path() / "b/moru-tool");
  EXPECT_FALSE(find_program("moru-text").has_value());
  EXPECT_FALSE(find_program("moru-none").has_value());
  EXPECT_FALSE(find_program("").has_value());
  ::setenv("PATH", old.c_str(), 1);
}

// Signals and their flag are of the whole process, so each of these runs in a process of its own.

[[noreturn]] void leave(bool right) { ::_exit(right ? 0 : 1); }

TEST(StopSignalsDeathTest, AreRememberedAndWakeTheWaiter) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        const bool before = stop_requested();
        const bool early = wait_for_stop(kMillisecond);
        ::raise(SIGTERM);
        const bool woken = wait_for_stop(3600 * kSecond);
        leave(!before && !early && woken && stop_requested());
      },
      testing::ExitedWithCode(0), "");
}

TEST(StopSignalsDeathTest, SecondInterruptEndsTheProcessWith130) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        ::raise(SIGINT);
        if (!stop_requested()) ::_exit(1);
        ::raise(SIGINT);
        ::_exit(2);
      },
      testing::ExitedWithCode(130), "");
}

TEST(StopSignalsDeathTest, HandlerLeavesErrnoAloneAndAClosedPipeKillsNobody) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        errno = EDOM;
        ::raise(SIGTERM);
        const bool kept = errno == EDOM;
        int ends[2];
        const bool piped = ::pipe(ends) == 0 && ::close(ends[0]) == 0;
        leave(kept && piped && ::write(ends[1], "x", 1) == -1 && errno == EPIPE);
      },
      testing::ExitedWithCode(0), "");
}

TEST(StopSignalsDeathTest, CanBeRequestedFromInside) {
  EXPECT_EXIT(
      {
        request_stop();
        leave(stop_requested() && wait_for_stop(3600 * kSecond));
      },
      testing::ExitedWithCode(0), "");
}

TEST(FreePort, CanBeBound) {
  const auto port = free_port();
  ASSERT_TRUE(port.has_value());
  EXPECT_GT(*port, 1023);
  EXPECT_LE(*port, 65535);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(*port));
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
}

}  // namespace
}  // namespace moru
