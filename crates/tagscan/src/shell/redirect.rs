//! Redirections and here-documents.

use super::parser::Parser;
use crate::ir::{Piece, Quoting, Redirect};
use crate::value::Value;

impl Parser<'_> {
    /// A redirection; an empty list for one that moves no text (`2>&1`, `2> file`).
    pub(super) fn redirect(&mut self) -> Option<Vec<Redirect>> {
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, operator) = (&rest[..digits], &rest[digits..]);
        let both = number.is_empty() && operator.starts_with("&>");
        if !both && !operator.starts_with(['<', '>']) || operator.starts_with("<(") || operator.starts_with(">(") {
            return None;
        }
        self.at += digits;
        if self.eat("<<<") {
            self.blanks();
            let mut word = self.word().unwrap_or_default();
            word.pieces.push(Piece::Text { value: Value::made("\n", word.span.start), quoting: Quoting::Quoted });
            return Some(vec![Redirect::Text(word)]);
        }
        if self.rest().starts_with("<<") {
            return Some(self.here_document().into_iter().collect());
        }
        let output = number.is_empty() || number == "1";
        if self.eat("<&") || self.eat(">&") {
            self.word();
            return Some(Vec::new());
        }
        let reads = self.eat("<");
        let appends = !reads && (self.eat("&>>") || self.eat(">>"));
        if !reads && !appends {
            let _ = self.eat("&>") || self.eat(">|") || self.eat(">");
        }
        self.blanks();
        let Some(file) = self.word() else { return Some(Vec::new()) };
        Some(match (reads, output) {
            (true, _) => vec![Redirect::From(file)],
            (false, true) => vec![Redirect::To { file, appends }],
            (false, false) => Vec::new(),
        })
    }

    fn here_document(&mut self) -> Option<Redirect> {
        self.eat("<<");
        let strips = self.eat("-");
        self.blanks();
        let start = self.at;
        self.word()?;
        let written = &self.text[start..self.at];
        let quoted = written.contains(['\'', '"', '\\']);
        let delimiter: String = written.chars().filter(|c| !"'\"\\".contains(*c)).collect();
        let line_end = self.rest().find('\n').map_or(self.text.len(), |length| self.at + length + 1);
        let from = self.after_here.unwrap_or(line_end).min(self.text.len());
        let mut end = (self.text.len(), self.text.len());
        if !self.endless.contains(&delimiter) {
            let mut at = from;
            for line in self.text[from..].split_inclusive('\n') {
                let bare = line.trim_end_matches(['\n', '\r']);
                if (if strips { bare.trim_start_matches('\t') } else { bare }) == delimiter {
                    end = (at, at + line.len());
                    break;
                }
                at += line.len();
            }
            if end.0 == self.text.len() {
                self.endless.insert(delimiter);
            }
        }
        self.after_here = Some(end.1);
        let range = from..end.0.max(from);
        Some(Redirect::Text(if quoted { self.plain(range) } else { self.here_word(range) }))
    }
}
