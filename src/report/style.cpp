#include "report/style.h"

namespace tetrad::report {

// Series colours are Okabe and Ito's, which colour-blind readers can tell apart, lighter on dark ground.
const std::string_view kStyle = R"(
:root{color-scheme:light dark;--ground:#fff;--raised:#f5f6f8;--text:#1a1d21;--faint:#5b636d;--rule:#d5d9df;--heat:#0a4f8f;--bad:#c8321f;
--s0:#0072b2;--s1:#d55e00;--s2:#00835f;--s3:#b2568c;--s4:#8a6d00;--s5:#444b54}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;--raised:#1e2227;--text:#e8eaed;--faint:#a3abb5;--rule:#3a4048;--heat:#7cc4ff;--bad:#ff7b66;
--s0:#56b4e9;--s1:#ff9248;--s2:#35cfa4;--s3:#e79ac5;--s4:#e8c547;--s5:#c3c9d1}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:1.55rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 8px}
p{margin:0 0 8px}.subtitle,figcaption,.card span,.card em{color:var(--faint)}
.subtitle{overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin:20px 0}
.card{background:var(--raised);border:1px solid var(--rule);border-radius:8px;padding:10px 14px;overflow-wrap:anywhere}
.card span,.card em{display:block;font-size:.82rem;font-style:normal}
.card b{font-size:1.35rem;line-height:1.35;font-variant-numeric:tabular-nums}
.warnings{border:1px solid var(--bad);border-left-width:5px;border-radius:6px;padding:10px 16px;margin:20px 0;overflow-wrap:anywhere}
.warnings ul{margin:0;padding-left:1.1em}
.sections{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:32px 36px;margin-top:28px}
figure{margin:0;min-width:0}.full{grid-column:1/-1}
figcaption{font-size:.86rem;margin-top:6px;max-width:75ch;overflow-wrap:anywhere}
@media(max-width:860px){.sections{grid-template-columns:minmax(0,1fr)}main{padding:20px 14px 36px}}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 10px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--faint);font-weight:600;font-size:.85rem;vertical-align:bottom}
th.n,td.n{text-align:right;white-space:nowrap}td.path{overflow-wrap:anywhere;min-width:11em}
svg{display:block;width:100%;height:auto;font-size:12px;fill:var(--text)}
svg .axis{stroke:var(--rule);fill:none}svg .label{fill:var(--faint)}svg .error{stroke:var(--text);stroke-width:1.2;fill:none}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}svg .area{fill-opacity:.16;stroke-width:1.8;stroke-linejoin:round}svg .hit{fill:transparent}
svg .heat{fill:var(--heat)}svg .none{fill:var(--bad)}
.wide svg{min-width:640px}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.86rem;margin:0 0 6px}.key i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px}
.key span{overflow-wrap:anywhere}
@media print{main{max-width:none}.card,.warnings,figure{break-inside:avoid}}
)";

}  // namespace tetrad::report
