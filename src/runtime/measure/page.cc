// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/page.h"

#include <fmt/format.h>

#include "core/plot.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--page:#ffffff;--card:#f6f8fb;--good:#1d7a47;--wrong:#b4472e}
@media (prefers-color-scheme:dark){:root{--page:#12161d;--card:#1a2029;--good:#63c08c;--wrong:#f0896c}}
body{margin:0 auto;max-width:1100px;padding:24px 20px 48px;background:var(--page);color:var(--plot-ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:36px 0 8px;overflow-wrap:anywhere}p{margin:2px 0;color:var(--plot-soft)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:16px;align-items:start}
.plots>div{background:var(--card);border-radius:8px;padding:12px}
.wide{overflow-x:auto;margin-top:12px}table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--plot-grid);white-space:nowrap}
th{color:var(--plot-soft);font-weight:600}th.l,td.l{text-align:left}td.why{white-space:normal;color:var(--plot-soft);text-align:left;padding-left:24px;overflow-wrap:anywhere}
tr.has-why td{border-bottom:none;padding-bottom:0}
.good{color:var(--good)}.wrong{color:var(--wrong);font-weight:600}
</style>
)";

}  // namespace

std::string start_page(std::string_view title, const PageFacts& facts) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>{0}</title>\n{1}{2}</head>\n<body>\n<h1>{0}</h1>\n"
      "<p>{3}, {4}, {5} memory</p>\n<p>moru {6}, {7}; {8}</p>\n",
      escape_html(title), plot_style(), kStyle, escape_html(to_string(facts.machine)), escape_html(facts.machine.system),
      human_bytes(facts.machine.memory_bytes), escape_html(facts.version), escape_html(facts.when), escape_html(facts.how));
}

std::string end_page(std::string_view remark) {
  return fmt::format("<p style=\"margin-top:24px\">{}</p>\n</body>\n</html>\n", escape_html(remark));
}

}  // namespace moru::runtime
