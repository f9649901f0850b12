//! Text from users and lengths of time, made fit for one line of a terminal.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

/// A user's text on one line: runs of white space become one blank, what a terminal would act on is escaped, and
/// what is longer than `chars_max` ends in `…`.
pub(crate) struct OneLine<'a> {
    text: &'a str,
    chars_max: usize,
    quoted: bool,
}

impl<'a> OneLine<'a> {
    pub(crate) fn new(text: &'a str, chars_max: usize) -> Self {
        Self { text, chars_max, quoted: false }
    }

    /// Puts the text in double quotes and escapes those inside.
    pub(crate) fn quoted(self) -> Self {
        Self { quoted: true, ..self }
    }
}

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.quoted {
            f.write_char('"')?;
        }
        let mut chars = self.text.trim().chars().peekable();
        let mut left = self.chars_max;
        while let Some(mut c) = chars.next() {
            if c.is_whitespace() {
                c = ' ';
                while chars.next_if(|next| next.is_whitespace()).is_some() {}
            }
            if left == 0 {
                f.write_char('…')?;
                break;
            }
            left -= 1;
            if acts_on_a_terminal(c) || (self.quoted && c == '"') {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        if self.quoted {
            f.write_char('"')?;
        }
        Ok(())
    }
}

/// Control characters move the cursor or begin an escape sequence; the others here are invisible or reorder a line.
fn acts_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A length of time in the two largest units that say something, rounded down.
pub(crate) struct Span(pub(crate) Duration);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let millis = self.0.subsec_millis();
        match seconds {
            _ if self.0.is_zero() => f.write_str("0 ms"),
            0 if millis == 0 => f.write_str("<1 ms"),
            0 => write!(f, "{millis} ms"),
            1..10 => write!(f, "{seconds}.{:02} s", millis / 10),
            10..60 => write!(f, "{seconds}.{} s", millis / 100),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        }
    }
}

/// The name of a signal that has the same number on every Unix and that services get.
pub(crate) fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, chars_max: usize, expected: &str) {
        assert_eq!(OneLine::new(text, chars_max).to_string(), expected);
    }

    #[track_caller]
    fn check_span(span: Duration, expected: &str) {
        assert_eq!(Span(span).to_string(), expected);
    }

    #[test]
    fn text_stays_on_one_line_and_within_its_bound() {
        check_text("plain name", 20, "plain name");
        check_text("  left: 1\n\t right: 2\n", 40, "left: 1 right: 2");
        check_text("abcdef", 6, "abcdef");
        check_text("abcdefg", 6, "abcdef…");
        check_text("größe", 4, "größ…");
        check_text("", 4, "");
        check_text("x", 0, "…");
    }

    #[test]
    fn text_cannot_steer_a_terminal() {
        check_text("\u{1b}[2Jgone", 40, "\\u{1b}[2Jgone");
        check_text("a\u{9b}31mb\u{7}", 40, "a\\u{9b}31mb\\u{7}");
        check_text("a\u{202e}cba", 40, "a\\u{202e}cba");
        check_text("a\u{2028}b", 40, "a b");
        assert_eq!(OneLine::new("say \"x\"", 40).quoted().to_string(), "\"say \\\"x\\\"\"");
    }

    #[test]
    fn spans_show_the_units_that_matter() {
        check_span(Duration::ZERO, "0 ms");
        check_span(Duration::from_nanos(1), "<1 ms");
        check_span(Duration::from_micros(999_999), "999 ms");
        check_span(Duration::from_millis(1_299), "1.29 s");
        check_span(Duration::from_millis(9_999), "9.99 s");
        check_span(Duration::from_millis(12_340), "12.3 s");
        check_span(Duration::from_secs(125), "2 min 5 s");
        check_span(Duration::from_secs(3_600 * 23 + 59), "23 h 0 min");
        check_span(Duration::from_secs(86_400 * 2 + 3_600), "2 d 1 h");
        check_span(Duration::MAX, "213503982334601 d 7 h");
    }
}
