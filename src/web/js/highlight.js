// Light syntax colouring: one small tokenizer for many languages. It works line by line with a state between the lines (an open
// comment or string), so that a growing block costs only its last line. Wrong guesses colour something oddly, nothing more.
const words = (text) => new Set(text.split(" "));
const C_WORDS = "if else for while do switch case default break continue return goto struct enum union typedef static const sizeof void int char long short float double unsigned signed bool true false auto";
const LANGUAGES = [
  {names: "c h cpp c++ cc cxx hpp cuda cu objc", line: ["//"], block: ["/*", "*/"], quotes: "\"'",
   words: words(C_WORDS + " class public private protected virtual override final template typename using namespace new delete this nullptr constexpr consteval noexcept try catch throw operator explicit inline concept requires co_await co_return co_yield static_cast reinterpret_cast mutable friend extern include define ifdef ifndef endif pragma __global__ __device__")},
  {names: "js javascript ts typescript jsx tsx mjs", line: ["//"], block: ["/*", "*/"], quotes: "\"'", long: ["`"],
   words: words("if else for while do switch case default break continue return function class extends new delete typeof instanceof in of var let const import export from as async await yield try catch finally throw this super null undefined true false static get set interface type enum implements readonly public private protected declare namespace void never any string number boolean")},
  {names: "java kotlin kt scala cs csharp c# swift dart php", line: ["//"], block: ["/*", "*/"], quotes: "\"'",
   words: words(C_WORDS + " class interface extends implements new this super public private protected abstract final override import package try catch finally throw throws null instanceof fun val var when object data sealed func let guard nil self init protocol extension foreach in is as async await using namespace get set string function echo use")},
  {names: "go golang", line: ["//"], block: ["/*", "*/"], quotes: "\"'", long: ["`"],
   words: words("break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var true false nil string int int64 float64 bool byte error make new len append")},
  {names: "rust rs zig", line: ["//"], block: ["/*", "*/"], quotes: "\"",
   words: words("as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while bool i32 i64 u8 u32 u64 usize f32 f64 str String Vec Option Result Some None Ok Err")},
  {names: "python py python3 gyp starlark", line: ["#"], quotes: "\"'", long: ['"""', "'''"],
   words: words("and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case None True False self")},
  {names: "ruby rb elixir lua julia r perl", line: ["#", "--"], quotes: "\"'",
   words: words("def end if elsif elseif else unless while until for in do begin rescue ensure raise return yield class module require include true false nil self local function then repeat and or not case when my sub use")},
  {names: "sh bash shell zsh console fish dockerfile makefile make", line: ["#"], quotes: "\"'", noCalls: true,
   words: words("if then else elif fi for while until do done case esac in function return export local set unset source echo cd exit sudo FROM RUN COPY CMD ENV WORKDIR ENTRYPOINT")},
  {names: "sql sqlite postgres mysql", line: ["--"], block: ["/*", "*/"], quotes: "'\"", fold: true,
   words: words("select from where and or not null insert into values update set delete create table index view drop alter add primary key foreign references join left right inner outer full on as group by order having limit offset union all distinct case when then else end in is like between exists with count sum avg min max")},
  {names: "json jsonc json5", line: ["//"], quotes: "\"", keys: true, noCalls: true, words: words("true false null")},
  {names: "yaml yml toml ini conf properties env", line: ["#"], quotes: "\"'", keys: true, noCalls: true, words: words("true false null yes no on off")},
  {names: "css scss less", block: ["/*", "*/"], quotes: "\"'", keys: true, words: words("important media keyframes import supports layer")},
  {names: "html xml svg vue", tags: true, block: ["<!" + "--", "-->"], quotes: "\"'", noCalls: true, words: new Set()},
  {names: "diff patch", diff: true},
];

const languageOf = (name) => LANGUAGES.find((language) => language.names.split(" ").includes(name.toLowerCase()));

// Appends the line to `parent`, as text nodes and <span class="t-KIND">; returns the state after the line ("" or what ends it).
function highlightLine(parent, line, language, state) {
  const out = (kind, text) => {
    if (!text) return;
    parent.append(kind ? h("span", {class: "t-" + kind}, text) : text);
  };
  if (!language || line.length > 2000) return out("", line), state;
  if (language.diff) {
    const kind = line.startsWith("@@") ? "word" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "";
    return out(kind, line), "";
  }
  let at = 0, plain = 0;
  const take = (kind, end) => {
    out("", line.slice(plain, at));
    out(kind, line.slice(at, end));
    at = plain = end;
  };
  if (state) {
    const end = line.indexOf(state);
    const kind = language.block && state === language.block[1] ? "comment" : "string";
    take(kind, end < 0 ? line.length : end + state.length);
    if (end < 0) return state;
  }
  const opens = (mark) => mark && line.startsWith(mark, at);
  while (at < line.length) {
    const c = line[at];
    if (language.block && opens(language.block[0])) {
      const end = line.indexOf(language.block[1], at + language.block[0].length);
      take("comment", end < 0 ? line.length : end + language.block[1].length);
      if (end < 0) return language.block[1];
    } else if ((language.line || []).some(opens) && (c !== "#" || at === 0 || /[\s;(]/.test(line[at - 1]))) {
      take("comment", line.length);
    } else if ((language.long || []).some(opens)) {
      const mark = language.long.find(opens), end = line.indexOf(mark, at + mark.length);
      take("string", end < 0 ? line.length : end + mark.length);
      if (end < 0) return mark;
    } else if ((language.quotes || "").includes(c)) {
      const end = endOfString(line, at);
      take(language.keys && /^\s*:/.test(line.slice(end)) ? "key" : "string", end);
    } else {
      const token = nextToken(line, at, language);
      if (token.kind) take(token.kind, token.end);
      else at = token.end;
    }
  }
  take("", line.length);
  return "";
}

function endOfString(line, start) {
  for (let at = start + 1; at < line.length; ++at) {
    if (line[at] === "\\") ++at;
    else if (line[at] === line[start]) return at + 1;
  }
  return line.length;
}

const TOKEN = /[A-Za-z_$@][\w$-]*|\d[\w.]*/y;

function nextToken(line, at, language) {
  TOKEN.lastIndex = at;
  const match = TOKEN.exec(line);
  if (!match) return {kind: "", end: at + 1};
  let word = match[0];
  if (!language.keys && !language.tags && word.includes("-")) word = word.slice(0, word.indexOf("-"));
  const end = at + word.length;
  if (/\d/.test(word[0])) return {kind: "number", end};
  if (language.tags) return {kind: /[<\/]/.test(line[at - 1] || "") ? "word" : line[end] === "=" ? "key" : "", end};
  if (language.keys && /^\s*[:=]/.test(line.slice(end, end + 40))) return {kind: "key", end};
  if (language.words.has(language.fold ? word.toLowerCase() : word)) return {kind: "word", end};
  return {kind: !language.noCalls && line[end] === "(" ? "call" : "", end};
}
