// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/deployer.h"

#include <gmock/gmock.h>

#include <map>

#include "core/digest.h"
#include "edge/agent/fake_model_for_test.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;
using wire::DeploymentPhase;

class DeployerTest : public ::testing::Test {
 protected:
  void SetUp() override { restart(); }

  /// As a new process on the same disk.
  void restart() {
    deployer_.reset();
    slot_ = std::make_shared<ModelSlot>();
    auto store = ReleaseStore::open(paths_);
    ASSERT_TRUE(store) << store.error().message;
    const auto fetch = [this](const wire::DesiredDeployment& wish, const Path& to, const std::function<bool()>& cancelled) -> Status {
      ++fetches_;
      if (during_fetch_) during_fetch_();
      if (cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
      if (!fetch_error_) return fail(fetch_error_.error());
      MORU_RETURN_IF_ERROR(make_folders(to.parent_path()));
      return write_file_atomic(to, bundles_[wish.release]);
    };
    const auto load = [this](std::string_view bytes) -> Result<std::unique_ptr<runtime::Session>> {
      ++loads_;
      if (during_load_) during_load_();
      if (bytes == "garbage") return fail(ErrorCode::kCorrupt, "fake: not a model");
      return std::make_unique<FakeSession>(std::string(bytes));
    };
    deployer_ =
        std::make_unique<Deployer>(options_, clock_, std::move(*store), slot_,
                                   BundlePolicy{.verify = make_verifier({key_.public_key()}), .targets = {"x86_64", "any"}}, fetch, load);
  }

  void make_bundle(std::int64_t release, const std::string& behaviour = "good") {
    bundles_[release] = fake_bundle(release, behaviour, key_);
  }

  wire::DesiredDeployment wish(const std::string& id, std::int64_t release, const std::string& action) {
    return {.id = id,
            .release = release,
            .url = "/v1/x",
            .sha256 = sha256_hex(bundles_[release]),
            .size = bundles_[release].size(),
            .action = action,
            .soak_items = 100};
  }
  void want(const std::string& id, std::int64_t release, const std::string& action) { deployer_->want(wish(id, release, action)); }

  /// Steps, moving time on to where the deployer wants to be called again, until it is in this phase.
  bool reach(DeploymentPhase phase, TimeNs limit = 10 * kSecond) {
    const TimeNs end = clock_.steady_now() + limit;
    while (clock_.steady_now() <= end) {
      const TimeNs next = deployer_->step();
      if (deployer_->state() && deployer_->state()->phase == phase) return true;
      clock_.advance(std::max<TimeNs>(next - clock_.steady_now(), 0));
    }
    return false;
  }
  DeploymentPhase phase() { return deployer_->state()->phase; }
  std::string reason() { return deployer_->state()->reason; }

  /// Live items as the infer stage counts them.
  void run_items(int items, double right_share = 1.0, bool ok = true) {
    for (int i = 0; i < items; ++i) {
      const auto taken = slot_->take();
      slot_->count(taken.current, ok, true, i < right_share * items, kMillisecond);
      if (taken.shadow)
        slot_->count_shadow(taken.shadow, {.ok = true,
                                           .agree = true,
                                           .labelled = true,
                                           .current_right = true,
                                           .candidate_right = true,
                                           .current_ns = 1,
                                           .candidate_ns = 1});
    }
  }
  std::int64_t live_release() {
    const auto taken = slot_->take();
    return taken.current ? taken.current->release : 0;
  }

  void install(std::int64_t release) {
    make_bundle(release);
    const std::string id = "install-" + std::to_string(release);
    want(id, release, "commit");
    ASSERT_TRUE(reach(DeploymentPhase::kSoaking)) << reason();
    run_items(100);
    ASSERT_TRUE(reach(DeploymentPhase::kCommitted)) << reason();
    run_items(1000, 0.9);
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-deployer"));
  HomePaths paths_{folder_.path()};
  trust::SigningKey key_ = std::move(*trust::SigningKey::generate());
  FakeClock clock_;
  DeployerOptions options_;
  std::map<std::int64_t, std::string> bundles_;
  Status fetch_error_;
  std::function<void()> during_fetch_;
  std::function<void()> during_load_;
  int fetches_ = 0;
  int loads_ = 0;
  std::shared_ptr<ModelSlot> slot_;
  std::unique_ptr<Deployer> deployer_;
};

TEST_F(DeployerTest, AnEmptyNodeHasNothingToReport) {
  EXPECT_EQ(deployer_->load_current().error().code, ErrorCode::kNotFound);
  deployer_->step();
  EXPECT_FALSE(deployer_->state());
  EXPECT_EQ(deployer_->running().release, 0);
}

TEST_F(DeployerTest, AFirstReleaseWaitsForTheWordAndIsThenSoaked) {
  make_bundle(1);
  want("r1", 1, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing)) << reason();
  EXPECT_FALSE(slot_->has_model()) << "nothing runs before the hub says so";
  EXPECT_EQ(deployer_->state()->shadow.items, 0U);
  want("r1", 1, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(deployer_->running().release, 0) << "not before it is committed";
  run_items(99);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kSoaking);
  run_items(1);
  ASSERT_TRUE(reach(DeploymentPhase::kCommitted)) << reason();
  EXPECT_EQ(deployer_->running().release, 1);
  EXPECT_EQ(deployer_->running().name, "fake");
}

TEST_F(DeployerTest, ACandidateRunsInShadowUntilTheHubCommits) {
  install(1);
  make_bundle(2);
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing));
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(slot_->take().shadow->release, 2);
  run_items(500);
  deployer_->step();
  EXPECT_EQ(deployer_->state()->shadow.items, 500U);
  EXPECT_EQ(deployer_->state()->shadow.both_right, 500U);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  EXPECT_EQ(live_release(), 2);
  EXPECT_EQ(slot_->take().shadow, nullptr);
  run_items(100);
  ASSERT_TRUE(reach(DeploymentPhase::kCommitted)) << reason();
  EXPECT_EQ(deployer_->state()->shadow.items, 500U) << "the figures stay in the report";
}

TEST_F(DeployerTest, AnAbortInShadowDropsTheCandidate) {
  install(1);
  make_bundle(2);
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing));
  want("r2", 2, "abort");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kAborted);
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(slot_->take().shadow, nullptr);
  want("r2", 2, "stage");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kAborted) << "an id that has ended is not begun again";
  EXPECT_EQ(fetches_, 2);
}

TEST_F(DeployerTest, AnAbortWhileSoakingBringsTheFormerModelBack) {
  install(1);
  make_bundle(2);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  const int loads = loads_;
  want("r2", 2, "abort");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kAborted);
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(loads_, loads) << "it was kept warm";
}

TEST_F(DeployerTest, AnAbortDuringTheFetchEndsIt) {
  install(1);
  make_bundle(2);
  during_fetch_ = [this] { want("r2", 2, "abort"); };
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kAborted));
  EXPECT_EQ(loads_, 1);
}

TEST_F(DeployerTest, AnAbortThatComesFirstIsAnswered) {
  make_bundle(1);
  want("r1", 1, "abort");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kAborted);
  EXPECT_EQ(fetches_, 0);
}

TEST_F(DeployerTest, ASoakWithErrorsRollsBackByItself) {
  install(1);
  make_bundle(2);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(1, 1.0, false);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRolledBack);
  EXPECT_THAT(reason(), HasSubstr("inferences failed"));
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(deployer_->running().release, 1);
}

TEST_F(DeployerTest, ASoakOfWorseQualityRollsBack) {
  install(1);
  make_bundle(2);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(100, 0.5);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRolledBack);
  EXPECT_THAT(reason(), HasSubstr("50.0 % of 100 live items right"));
  EXPECT_EQ(live_release(), 1);
}

TEST_F(DeployerTest, ASoakWithoutItemsRollsBackAtItsDeadline) {
  install(1);
  make_bundle(2);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(7);
  ASSERT_TRUE(reach(DeploymentPhase::kRolledBack, options_.soak_limit + kSecond));
  EXPECT_THAT(reason(), HasSubstr("7 live items came within"));
  EXPECT_EQ(live_release(), 1);
}

TEST_F(DeployerTest, AFirstReleaseThatFailsLeavesNoModel) {
  make_bundle(1);
  want("r1", 1, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(1, 1.0, false);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRolledBack);
  EXPECT_FALSE(slot_->has_model());
}

TEST_F(DeployerTest, AnUndecidedShadowEndsAtItsDeadline) {
  install(1);
  make_bundle(2);
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kAborted, options_.shadow_limit + kSecond));
  EXPECT_THAT(reason(), HasSubstr("did not decide"));
  EXPECT_EQ(slot_->take().shadow, nullptr);
}

TEST_F(DeployerTest, RefusesWhatItCannotTrustOrRunAndSaysWhy) {
  install(1);
  struct Case {
    std::string bundle;
    std::string reason;
  };
  const auto stranger = trust::SigningKey::generate();
  std::string flipped = fake_bundle(5, "good", key_);
  flipped[flipped.size() - 1] ^= 1;
  const std::vector<Case> cases{
      {fake_bundle(5, "good", *stranger), "signature"},
      {flipped, "verifying"},
      {fake_bundle(5, "good", key_, "mips"), "mips"},
      {fake_bundle(6, "good", key_), "found release 6 inside"},
      {fake_bundle(5, "garbage", key_), "not a model"},
      {fake_bundle(5, "nan", key_), "finite"},
      {fake_bundle(5, "unsure", key_), "sum to"},
      {fake_bundle(5, "broken", key_), "broken"},
      {"not a bundle", "verifying"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    bundles_[5] = cases[i].bundle;
    const std::string id = "bad-" + std::to_string(i);
    want(id, 5, "commit");
    ASSERT_TRUE(reach(DeploymentPhase::kRefused)) << id;
    EXPECT_THAT(reason(), HasSubstr(cases[i].reason));
    EXPECT_EQ(live_release(), 1);
    EXPECT_EQ(slot_->take().shadow, nullptr);
    EXPECT_TRUE(std::filesystem::is_empty(paths_.incoming())) << "what was refused does not stay";
  }
}

TEST_F(DeployerTest, ABundleOfOtherBytesThanTheHubSaidIsNeverLoaded) {
  install(1);
  make_bundle(2);
  auto wrong = wish("r2", 2, "stage");
  wrong.sha256 = std::string(64, '0');
  deployer_->want(wrong);
  ASSERT_TRUE(reach(DeploymentPhase::kRefused));
  EXPECT_THAT(reason(), HasSubstr("SHA-256"));
  EXPECT_EQ(loads_, 1);
}

TEST_F(DeployerTest, OlderReleasesAreRefused) {
  install(3);
  make_bundle(2);
  want("back", 2, "commit");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRefused);
  EXPECT_THAT(reason(), HasSubstr("not newer than release 3"));
  EXPECT_EQ(fetches_, 1) << "nothing is fetched for it";
}

TEST_F(DeployerTest, TheReleaseThatRunsIsCommittedAlready) {
  install(1);
  want("again", 1, "stage");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kCommitted);
  EXPECT_EQ(fetches_, 1);
  bundles_[1] = fake_bundle(1, "other", key_);
  want("swapped", 1, "stage");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRefused) << "the same number with other bytes";
}

TEST_F(DeployerTest, AFetchIsTriedAgainUntilTheHubAnswers) {
  make_bundle(1);
  fetch_error_ = fail(ErrorCode::kUnavailable, "nobody there");
  want("r1", 1, "stage");
  EXPECT_FALSE(reach(DeploymentPhase::kShadowing, 20 * kSecond));
  EXPECT_EQ(phase(), DeploymentPhase::kFetching);
  EXPECT_NEAR(fetches_, 20, 2) << "with a pause between attempts";
  fetch_error_ = {};
  EXPECT_TRUE(reach(DeploymentPhase::kShadowing));
}

TEST_F(DeployerTest, AFetchEndsAtItsDeadline) {
  make_bundle(1);
  fetch_error_ = fail(ErrorCode::kUnavailable, "nobody there");
  want("r1", 1, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kRefused, options_.fetch_limit + kSecond));
  EXPECT_THAT(reason(), HasSubstr("fetching: not done within"));
}

TEST_F(DeployerTest, AFetchThatCannotSucceedIsRefusedAtOnce) {
  make_bundle(1);
  fetch_error_ = fail(ErrorCode::kNotFound, "no release 1");
  want("r1", 1, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kRefused));
  EXPECT_THAT(reason(), HasSubstr("fetching: no release 1"));
  EXPECT_EQ(fetches_, 1);
}

TEST_F(DeployerTest, ASlowLoadIsRefused) {
  make_bundle(1);
  during_load_ = [this] { clock_.advance(options_.prepare_limit); };
  want("r1", 1, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kRefused));
  EXPECT_THAT(reason(), HasSubstr("warm-up: not done within"));
}

TEST_F(DeployerTest, ANewerDeploymentTakesThePlaceOfOneUnderWay) {
  install(1);
  make_bundle(2);
  make_bundle(3);
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing));
  want("r3", 3, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing));
  EXPECT_EQ(deployer_->state()->id, "r3");
  EXPECT_EQ(slot_->take().shadow->release, 3);
  want("r2", 2, "stage");
  deployer_->step();
  EXPECT_EQ(deployer_->state()->id, "r2");
  EXPECT_EQ(phase(), DeploymentPhase::kAborted);
}

TEST_F(DeployerTest, AWishThatIsTakenBackEndsTheDeployment) {
  install(1);
  make_bundle(2);
  want("r2", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kShadowing));
  deployer_->want(std::nullopt);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kAborted);
}

TEST_F(DeployerTest, ARestartRunsTheCommittedReleaseAndReportsHowItEnded) {
  install(1);
  restart();
  ASSERT_TRUE(deployer_->load_current());
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(deployer_->running().release, 1);
  want("install-1", 1, "commit");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kCommitted);
  EXPECT_EQ(fetches_, 1);
}

TEST_F(DeployerTest, ARestartInTheMiddleBeginsAgainFromTheOldRelease) {
  for (const DeploymentPhase middle : {DeploymentPhase::kShadowing, DeploymentPhase::kSoaking}) {
    SCOPED_TRACE(to_string(middle));
    if (deployer_->running().release == 0) install(1);
    const std::string id = "r2-" + std::string(to_string(middle)).substr(0, 4);
    make_bundle(2);
    want(id, 2, middle == DeploymentPhase::kSoaking ? "commit" : "stage");
    ASSERT_TRUE(reach(middle));
    const int fetched = fetches_;
    restart();
    ASSERT_TRUE(deployer_->load_current());
    EXPECT_EQ(live_release(), 1);
    EXPECT_FALSE(deployer_->state());
    want(id, 2, "stage");
    ASSERT_TRUE(reach(DeploymentPhase::kShadowing)) << reason();
    EXPECT_EQ(fetches_, fetched) << "the bundle is there already";
    want(id, 2, "abort");
    deployer_->step();
    EXPECT_EQ(phase(), DeploymentPhase::kAborted);
  }
}

TEST_F(DeployerTest, RefusedAndRolledBackIdsStaySoAcrossRestarts) {
  install(1);
  bundles_[2] = fake_bundle(2, "nan", key_);
  want("refused", 2, "stage");
  ASSERT_TRUE(reach(DeploymentPhase::kRefused));
  make_bundle(3);
  want("rolled", 3, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(1, 1.0, false);
  ASSERT_TRUE(reach(DeploymentPhase::kRolledBack));
  const std::string why = reason();
  const int fetched = fetches_;

  restart();
  ASSERT_TRUE(deployer_->load_current());
  make_bundle(2);
  want("refused", 2, "commit");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRefused);
  want("rolled", 3, "commit");
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRolledBack);
  EXPECT_EQ(reason(), why);
  EXPECT_EQ(fetches_, fetched);
  EXPECT_EQ(live_release(), 1);

  want("another-try", 3, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking)) << "the release itself may come again under a new id";
}

TEST_F(DeployerTest, ADamagedCurrentReleaseGivesWayToTheOneBefore) {
  install(1);
  install(2);
  auto bytes = *read_file(paths_.releases() / "2/bundle.moru");
  bytes[bytes.size() - 1] ^= 1;
  ASSERT_TRUE(write_file_atomic(paths_.releases() / "2/bundle.moru", bytes));
  restart();
  ASSERT_TRUE(deployer_->load_current());
  EXPECT_EQ(live_release(), 1);
  EXPECT_EQ(deployer_->running().release, 1);
  // The hub still wants release 2: it is fetched again.
  want("install-2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  run_items(100);
  ASSERT_TRUE(reach(DeploymentPhase::kCommitted)) << reason();
  EXPECT_EQ(live_release(), 2);
  restart();
  ASSERT_TRUE(deployer_->load_current());
  EXPECT_EQ(live_release(), 2);
}

TEST_F(DeployerTest, OnlyTheCurrentAndTheFormerReleaseStayOnDisk) {
  install(1);
  install(2);
  install(3);
  EXPECT_FALSE(std::filesystem::exists(paths_.releases() / "1"));
  EXPECT_TRUE(std::filesystem::exists(paths_.releases() / "2/bundle.moru"));
  EXPECT_TRUE(std::filesystem::exists(paths_.releases() / "3/bundle.moru"));
  EXPECT_TRUE(std::filesystem::is_empty(paths_.incoming()));
}

TEST_F(DeployerTest, ACommitThatCannotBeWrittenDownRollsBack) {
  install(1);
  make_bundle(2);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach(DeploymentPhase::kSoaking));
  // A file where the folder of the release must go.
  ASSERT_TRUE(write_file_atomic(paths_.releases() / "2", "in the way"));
  run_items(100);
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kRolledBack);
  EXPECT_THAT(reason(), HasSubstr("commit: "));
  EXPECT_EQ(live_release(), 1);
}

TEST_F(DeployerTest, AStopLeavesWhatIsUnderWayForTheNextStart) {
  install(1);
  make_bundle(2);
  during_fetch_ = [this] { deployer_->stop(); };
  want("r2", 2, "stage");
  deployer_->step();
  deployer_->step();
  EXPECT_EQ(phase(), DeploymentPhase::kFetching);
  during_fetch_ = nullptr;
  restart();
  want("r2", 2, "stage");
  EXPECT_TRUE(reach(DeploymentPhase::kShadowing));
}

TEST_F(DeployerTest, EveryChangeOfPhaseIsSeen) {
  const auto before = deployer_->changes();
  install(1);
  // fetching, verifying, warming up, shadowing, soaking, committed
  EXPECT_EQ(deployer_->changes() - before, 6U);
}

}  // namespace
}  // namespace moru::edge
