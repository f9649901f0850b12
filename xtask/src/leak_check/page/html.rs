//! Pieces of HTML: escaped text, a whole page, a table.

use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// Text as it stands in an element or in an attribute: whatever a program printed is only text there.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What would hide or reorder the rest of the line is shown, not done.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(letter.escape_unicode());
            }
            letter if letter.is_control() && letter != '\n' => safe.extend(letter.escape_default()),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A page that needs nothing from elsewhere, and is allowed nothing.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// A table of cells that are HTML already; the first of each row is its heading.
pub(super) fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut table = "<div class=\"wide\"><table><thead><tr>".to_owned();
    for cell in head {
        let _ = write!(table, "<th>{cell}</th>");
    }
    table.push_str("</tr></thead><tbody>\n");
    for row in rows {
        table.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let tag = if at == 0 { "th" } else { "td" };
            let _ = write!(table, "<{tag}>{cell}</{tag}>");
        }
        table.push_str("</tr>\n");
    }
    table.push_str("</tbody></table></div>\n");
    table
}

/// A word that says how it went, in its colour.
pub(super) fn word(class: &str, text: &str) -> String {
    format!("<span class=\"word {class}\">{}</span>", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_printed_becomes_markup() {
        assert_eq!(escaped("<b title='x'>\"&\""), "&lt;b title=&#39;x&#39;&gt;&quot;&amp;&quot;");
        assert_eq!(escaped("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = page("a < b", "");
        assert!(page.contains("<title>a &lt; b</title>"));
        for outside in ["<script", "http:", "https:", "url(", "@import", "src=\""] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
