#include "report/style.h"

namespace tetrad::report {

// Series colours (--s0 ...) are Okabe and Ito's, which colour-blind readers can tell apart, darkened on light ground
// and lightened on dark ground to at least 3:1. The heat map is one hue by opacity, so it keeps its order in grey;
// zeros are of the opposite hue.
const std::string_view kStyle = R"(
:root{color-scheme:light dark;--ground:#fff;--raised:#f5f6f8;--text:#1a1d21;--faint:#5b636d;--rule:#d5d9df;--heat:#08457e;--bad:#d9480f;
--s0:#0072b2;--s1:#d55e00;--s2:#00835f;--s3:#b2568c;--s4:#8a6d00;--s5:#444b54}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;--raised:#1e2227;--text:#e8eaed;--faint:#a3abb5;--rule:#3a4048;--heat:#9bd3ff;--bad:#ff6b3d;
--s0:#56b4e9;--s1:#ff9248;--s2:#35cfa4;--s3:#e79ac5;--s4:#e8c547;--s5:#c3c9d1}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:1.55rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:0 0 8px;overflow-wrap:anywhere}
h2.group{margin:20px 0 -10px}
p{margin:0 0 8px}.subtitle,figcaption,.card span,.card em{color:var(--faint)}
.subtitle{overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:12px;margin:20px 0}
.card{background:var(--raised);border:1px solid var(--rule);border-radius:8px;padding:10px 14px;overflow-wrap:anywhere}
.card span,.card em{display:block;font-size:.82rem;font-style:normal}
.card b{font-size:1.25rem;line-height:1.35;font-variant-numeric:tabular-nums}
.warnings{border:1px solid var(--bad);border-left-width:5px;border-radius:6px;padding:10px 16px;margin:20px 0;overflow-wrap:anywhere}
.warnings ul{margin:0;padding-left:1.1em}summary{cursor:pointer;margin-top:6px;color:var(--faint)}
.sections{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:36px 36px;margin-top:30px}
figure{margin:0;min-width:0}.full{grid-column:1/-1}
figcaption{font-size:.86rem;margin-top:6px;max-width:88ch;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 10px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--faint);font-weight:600;font-size:.85rem;vertical-align:bottom}
th.n,td.n{text-align:right;white-space:nowrap}td.path{overflow-wrap:anywhere;min-width:11em}
svg{display:block;width:100%;height:auto;font-size:12.5px;fill:var(--text)}
svg .axis{stroke:var(--rule);fill:none}svg .label{fill:var(--faint)}svg .error{stroke:var(--text);stroke-width:1.2;fill:none}
svg .bar{fill-opacity:.75}svg .line{fill:none;stroke-width:2;stroke-linejoin:round}svg .dashed{stroke-width:1.5;stroke-dasharray:5 4}
svg .area{fill-opacity:.16;stroke-width:1.7;stroke-linejoin:round}svg .hit{fill:transparent}svg .hit:hover{fill:var(--text);fill-opacity:.07}
.c0{stroke:var(--s0)}.c1{stroke:var(--s1)}.c2{stroke:var(--s2)}.c3{stroke:var(--s3)}.c4{stroke:var(--s4)}.c5{stroke:var(--s5)}
.f0{fill:var(--s0)}.f1{fill:var(--s1)}.f2{fill:var(--s2)}.f3{fill:var(--s3)}.f4{fill:var(--s4)}.f5{fill:var(--s5)}
.k0{--k:var(--s0)}.k1{--k:var(--s1)}.k2{--k:var(--s2)}.k3{--k:var(--s3)}.k4{--k:var(--s4)}.k5{--k:var(--s5)}
.h0,.h1,.h2,.h3,.h4,.h5,.h6,.h7,.h8,.h9,.h10{fill:var(--heat);--k:var(--heat)}.h0{fill:var(--bad);--k:var(--bad)}
path.h1{fill-opacity:.1}path.h2{fill-opacity:.18}path.h3{fill-opacity:.27}path.h4{fill-opacity:.36}path.h5{fill-opacity:.46}path.h6{fill-opacity:.56}path.h7{fill-opacity:.67}path.h8{fill-opacity:.78}path.h9{fill-opacity:.89}
i.h1{opacity:.1}i.h2{opacity:.18}i.h3{opacity:.27}i.h4{opacity:.36}i.h5{opacity:.46}i.h6{opacity:.56}i.h7{opacity:.67}i.h8{opacity:.78}i.h9{opacity:.89}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.86rem;margin:0 0 6px}.key span{overflow-wrap:anywhere}
.key i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;background:var(--k)}
.key i.dash{width:20px;height:0;border-radius:0;border-top:2px dashed var(--k);background:none;vertical-align:.25em}
.key .ramp{white-space:nowrap}.key .ramp i{margin:0;border-radius:0;vertical-align:-1px}
.full>svg{max-width:640px}
@media(max-width:860px){.sections{grid-template-columns:minmax(0,1fr)}main{padding:20px 14px 36px}}
@media(max-width:560px){figure>svg{font-size:15px}h1{font-size:1.3rem}.cards{gap:8px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}.card{padding:8px 10px}.card b{font-size:1.05rem}th,td{padding:5px 7px}td.path{min-width:8em}}
@media print{main{max-width:none}.card,.warnings,figure{break-inside:avoid}}
)";

}  // namespace tetrad::report
