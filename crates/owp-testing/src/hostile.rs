//! A corpus of hostile texts, and a checker for comments that contain them. They stand for any external text: titles,
//! bodies, reasons, names. None of the pool's own texts belong here.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// Returns the corpus as pairs of a name and a text.
pub fn corpus() -> Vec<(&'static str, String)> {
    let fixed = [MENTIONS, REFERENCES, COMMANDS, HTML, LINKS, BLOCKS, INLINE, INVISIBLE, TERMINALS, SCRIPTS, DATA];
    let mut texts: Vec<(&str, String)> =
        fixed.concat().into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    texts.extend([
        ("a very long word", "x".repeat(10_000)),
        ("a body of 65,536 characters", "The gauge sticks. @octocat #1 ".repeat(2_185)[..65_536].to_owned()),
        ("65,000 letters that become longer when escaped", "&<[*@#1 ".repeat(8_125)),
        ("twenty thousand lines", "a\n".repeat(20_000)),
        ("a stack of combining marks", format!("Z{}algo", "\u{0301}\u{0316}\u{0321}".repeat(200))),
        ("ten thousand backticks", "`".repeat(10_000)),
        ("backticks of all lengths", (1..40).map(|n| format!("{} a ", "`".repeat(n))).collect()),
        ("ten thousand brackets", "[".repeat(10_000)),
        ("ten thousand quotes", "> ".repeat(10_000)),
        ("emphasis without end", "*_".repeat(5_000)),
        ("every control character", (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32).collect()),
        ("every ASCII punctuation mark", (0x21..0x7f).filter_map(char::from_u32).collect()),
    ]);
    texts
}

type Texts = &'static [(&'static str, &'static str)];

const MENTIONS: Texts = &[
    ("a mention", "cc @octocat"),
    ("everyone", "@everyone please look"),
    ("a team", "@github/security and @org/team"),
    ("a mention in brackets", "(@octocat) [@octocat] {@octocat} \"@octocat\""),
    ("a mention after a backslash", "\\@octocat and \\\\@octocat"),
    ("a mention as an entity", "&#64;octocat &commat;octocat &#x40;octocat"),
    ("a mention of the bot", "@owp-pool[bot] @dependabot rebase"),
    ("a mention in an unclosed backtick", "`@octocat"),
    ("an e-mail address", "mail octocat@github.com or <octocat@github.com> or mailto:octocat@github.com"),
];

const REFERENCES: Texts = &[
    ("a closing keyword", "Fixes #1, closes #2, resolves acme/rocket#3"),
    ("an issue of another repository", "owner/repo#1 and octocat#1"),
    ("an old reference", "GH-123 gh-123"),
    ("a commit", "a5c3785ed8d6a35868bc169f07e40e889087fd2e and octocat@a5c3785 and rails/rails@a5c3785ed8d6"),
    ("a closing link", "Closes https://github.com/acme/rocket/issues/1"),
];

const COMMANDS: Texts = &[
    ("a command", "/owp claim"),
    ("a command on the second line", "Nice\n/owp ban @ada\n/owp budget 0"),
    ("a command after spaces", "   /OWP Claim"),
    ("a command after CR alone", "Nice\r/owp claim"),
    ("a command after a line separator", "Nice\u{2028}/owp claim\u{2029}/owp release\u{85}/owp help"),
    ("a command of another bot", "/lgtm\n/approve\n@bors r+\n!merge"),
];

const HTML: Texts = &[
    ("a comment", "<!-- hidden --> shown"),
    ("a comment that stays open", "<!-- and everything after it"),
    ("a comment that ends", "--> everything before it <!--"),
    ("a forged key", "<!-- owp:key=notes -->"),
    ("a forged key on a line of its own", "Hi\n<!-- owp:key=all -->\n\nThis task is yours."),
    ("the end of details", "</details></summary></table></td>"),
    ("a script", "<script>alert(1)</script><svg onload=alert(1)>"),
    ("an attribute that closes", "\" onmouseover=\"alert(1)\" x='"),
    ("an image tag", "<img src=https://evil.example/pixel.gif width=1>"),
    ("a tag in a tag", "<scr<script>ipt>alert(1)</scr</script>ipt>"),
    ("entities", "&lt;b&gt; &amp;lt; &#60;script&#62; &nbsp;&zwj;"),
    ("a template", "{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {% raw %}"),
];

const LINKS: Texts = &[
    ("a tracking pixel", "![x](https://evil.example/pixel.gif)"),
    ("a script as a link", "[click](javascript:alert(1)) [x](data:text/html;base64,AAAA)"),
    ("a bare link", "https://evil.example http://evil.example ftp://evil.example ssh://evil.example"),
    ("a bare domain", "www.evil.example WWW.EVIL.EXAMPLE"),
    ("an autolink", "<https://evil.example> <javascript:alert(1)>"),
    ("a reference link", "[this task]\n\n[this task]: https://evil.example"),
    ("a reference link to a rule", "[budget]: https://evil.example\n\n[budget]"),
    ("a footnote", "a[^1]\n\n[^1]: https://evil.example"),
    ("a link in a link", "[![a](b)](c) [a][b][c]"),
];

const BLOCKS: Texts = &[
    ("headings", "# One\n## Two\nThree\n===\nFour\n---"),
    ("a task list", "- [ ] not done\n- [x] done\n* [X] done"),
    ("a table", "| a | b |\n| --- | --- |\n| @octocat | `|` |"),
    ("an alert", "> [!WARNING]\n> Maintainers agreed to this."),
    ("a fence", "```\nunclosed"),
    ("a diagram", "```mermaid\ngraph TD; A-->B; click A \"https://evil.example\"\n```"),
    ("math", "$$\\color{red}{pwned}$$ and $x$ and $`x`$"),
    ("indented code", "    /owp claim\n\t/owp claim"),
    ("a suggestion", "```suggestion\nrm -rf /\n```"),
    ("rules", "---\n***\n___\n- - -"),
];

const INLINE: Texts = &[
    ("emphasis", "**bold** __bold__ *i* _i_ ~~gone~~ ***x***"),
    ("code", "`code` ``co`de`` `` ` ``"),
    ("backslashes", "\\ \\\\ \\* \\` \\[ \\\u{a0}"),
    ("a trailing backslash", "ends with \\"),
];

const INVISIBLE: Texts = &[
    ("a direction override", "user \u{202e}gpj.exe\u{202c} \u{2066}x\u{2069} \u{200f}y\u{200e}"),
    ("nothing to see", "@\u{200b}octo\u{200d}cat #\u{2060}1 \u{feff}/owp claim \u{ad}"),
    ("tags", "ok\u{e0001}\u{e0041}\u{e0064}\u{e006d}\u{e0069}\u{e006e}\u{e007f}"),
    ("variation selectors", "a\u{fe00}\u{fe0e}b\u{e0100}\u{e01ef}"),
    ("NUL", "a\0b\0"),
    ("only what nobody sees", "\u{200b}\u{2060}\u{feff}"),
    ("only spaces", " \t\u{a0}\u{3000}\r\n "),
];

const TERMINALS: Texts = &[
    ("colours", "\u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{1b}[H"),
    ("eight-bit sequences", "\u{9b}31mred\u{9b}2J \u{9d}0;title\u{9c} \u{90}q\u{9c}"),
    ("a hyperlink", "\u{1b}]8;;https://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\"),
    ("the clipboard", "\u{1b}]52;c;cm0gLXJmIH4=\u{7}"),
    ("the title", "\u{1b}]0;owned\u{7}"),
    ("a bell", "\u{7}\u{7}\u{7}"),
    ("a line that is overwritten", "All is well\rrm -rf /"),
    ("backspaces", "rm -rf /\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}ls"),
    ("a forged log line", "x\n2026-11-21T03:09:00Z  INFO a lease was granted to=eve\r\n{\"level\":\"INFO\"}"),
];

const SCRIPTS: Texts = &[
    ("joined emoji", "👩\u{200d}💻 👨\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈"),
    ("right to left", "مرحبا بالعالم שלום עולם"),
    ("Persian with a non-joiner", "می\u{200c}خواهم"),
    ("letters that look like others", "@осtосаt ＠octocat ＃1 ／owp claim"),
    ("letters outside the first plane", "𝕏 𝒽𝑒𝓁𝓁𝑜 🦀 𐍈"),
];

const DATA: Texts = &[
    ("YAML", "key: [unclosed\n- &a *a\n---\n!!python/object:os.system"),
    ("JSON", "\"}],\"ok\":false,{\"x\":\"\\u0000\\ud800"),
    ("SQL", "'; DROP TABLE tasks; -- \" OR 1=1 /* $1 ?1 :x %s"),
    ("a path", "../../etc/passwd C:\\..\\x %2e%2e%2f \\\\host\\share"),
    ("a shell", "$(rm -rf /) `id` ; | & > < ${IFS} ~"),
    ("a server-sent event", "x\n\ndata: {\"kind\":\"forged\"}\n\nid: 5\n: comment\nretry: 1"),
    ("a header", "x\r\nSet-Cookie: a=b\r\n\r\n<html>"),
    ("an empty text", ""),
];

/// Checks that external texts in a comment have no effect. Only logins in `concerned` may be mentioned and only
/// `numbers` may be referenced. The error describes the first violation.
pub fn check_comment(body: &str, concerned: &[&str], numbers: &[u64]) -> Result<(), String> {
    for event in parse(body) {
        let alive = match &event {
            // The pool's own small print.
            Event::InlineHtml(tag) if matches!(&**tag, "<sub>" | "</sub>") => false,
            Event::Html(_) | Event::InlineHtml(_) | Event::Rule | Event::FootnoteReference(_) => true,
            Event::TaskListMarker(_) | Event::InlineMath(_) | Event::DisplayMath(_) => true,
            Event::Start(tag) => matches!(
                tag,
                Tag::Heading { .. }
                    | Tag::Link { .. }
                    | Tag::Image { .. }
                    | Tag::CodeBlock(_)
                    | Tag::BlockQuote(_)
                    | Tag::HtmlBlock
                    | Tag::FootnoteDefinition(_)
                    | Tag::Strikethrough
                    | Tag::Emphasis
            ),
            _ => false,
        };
        if alive {
            return Err(format!("{event:?} in {body:?}"));
        }
    }
    for text in prose(body) {
        check_words(&text, concerned, numbers)?;
    }
    let hidden = |c: char| {
        let misleads = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}' | '\u{2028}' | '\u{2029}');
        misleads || (c.is_control() && c != '\n')
    };
    body.chars().find(|c| hidden(*c)).map_or(Ok(()), |c| Err(format!("{c:?} in {body:?}")))
}

fn parse(body: &str) -> Parser<'_> {
    let known = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    Parser::new_ext(body, known)
}

/// Returns the text that GitHub searches for mentions and references: everything except code.
pub fn prose(body: &str) -> Vec<String> {
    let mut prose = vec![String::new()];
    for event in parse(body) {
        match event {
            Event::Text(text) => prose.last_mut().expect("there is one").push_str(&text),
            Event::Code(_) => prose.last_mut().expect("there is one").push('\u{FFFC}'),
            _ => prose.push(String::new()),
        }
    }
    prose
}

fn check_words(text: &str, concerned: &[&str], numbers: &[u64]) -> Result<(), String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    for (at, _) in text.match_indices('@') {
        let name: String = text[at + 1..].chars().take_while(|c| word(*c)).collect();
        if !name.is_empty() && !concerned.contains(&name.as_str()) {
            return Err(format!("@{name} is mentioned in {text:?}"));
        }
    }
    for (at, _) in text.match_indices('#') {
        let digits: String = text[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        if !digits.is_empty() && !numbers.iter().any(|n| n.to_string() == digits) {
            return Err(format!("#{digits} is referred to in {text:?}"));
        }
    }
    let lower = text.to_lowercase();
    let old = lower.match_indices("gh-").any(|(at, _)| lower[at + 3..].starts_with(|c: char| c.is_ascii_digit()));
    let domain = lower.match_indices("www.").any(|(at, _)| lower[at + 4..].starts_with(char::is_alphanumeric));
    let commit = text.split(|c: char| !c.is_alphanumeric()).find(|word| is_commit(word));
    if old || domain || lower.contains("://") || commit.is_some() {
        return Err(format!("something links in {text:?}"));
    }
    Ok(())
}

fn is_commit(word: &str) -> bool {
    let hex = (7..=40).contains(&word.len()) && word.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    hex && word.contains(|c: char| c.is_ascii_digit()) && word.contains(|c: char| c.is_ascii_alphabetic())
}

#[test]
fn the_corpus_is_large_and_the_checker_sees_what_is_alive() {
    let names: std::collections::BTreeSet<_> = corpus().iter().map(|(name, _)| *name).collect();
    assert!(names.len() >= 80 && names.len() == corpus().len(), "{}", names.len());
    let alive =
        ["@octocat", "#1", "x/y#12", "GH-1", "www.a.b", "http://a", "<b>", "<!-- x -->", "# h", "[a](b)", "![a](b)"];
    let blocks =
        ["> q", "```\nx", "    x", "---", "~~x~~", "_x_", "- [ ] x", "$$x$$", "a5c3785 is it", "a\u{202e}b", "a\rb"];
    for text in alive.into_iter().chain(blocks) {
        assert!(check_comment(text, &["ada"], &[3]).is_err(), "{text:?}");
    }
    for text in ["@ada, #3 is `@octocat #1`.", "**Bold** and\n\n- a list\n\n| a |\n| --- |\n| b |", "1234567 pieces"] {
        assert_eq!(check_comment(text, &["ada"], &[3]), Ok(()), "{text:?}");
    }
}
