//! Keys, and a line of text that is being typed.

/// A key, as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Text that was pasted.
    Paste(String),
}

/// The longest text, in characters.
const LONGEST: usize = 2_000;

/// A line of text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextInput {
    characters: Vec<char>,
    cursor: usize,
}

impl TextInput {
    /// Returns the input with a text and the cursor at its end.
    pub(crate) fn new(text: &str) -> Self {
        let mut input = Self::default();
        input.insert(text);
        input
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> String {
        self.characters.iter().collect()
    }

    /// Returns the characters.
    pub(crate) fn characters(&self) -> &[char] {
        &self.characters
    }

    /// Returns the number of characters before the cursor.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Inserts a text at the cursor. Line breaks and tabs become spaces, other control characters are dropped.
    fn insert(&mut self, text: &str) {
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            if self.characters.len() < LONGEST && !c.is_control() {
                self.characters.insert(self.cursor, c);
                self.cursor += 1;
            }
        }
    }

    /// Edits the text, with the keys of a shell. Other keys are ignored.
    pub(crate) fn press(&mut self, key: &Key) {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Paste(text) => self.insert(text),
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.characters.len()),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.characters.len(),
            Key::Backspace => self.delete(self.cursor.saturating_sub(1)),
            Key::Delete => self.delete_until((self.cursor + 1).min(self.characters.len())),
            Key::Ctrl('u') => self.delete(0),
            Key::Ctrl('k') => self.delete_until(self.characters.len()),
            Key::Ctrl('w') => {
                let before = &self.characters[..self.cursor];
                let word = before.iter().rposition(|c| *c != ' ').unwrap_or(0);
                self.delete(before[..word].iter().rposition(|c| *c == ' ').map_or(0, |space| space + 1));
            }
            _ => {}
        }
    }

    /// Deletes the characters from a position to the cursor.
    fn delete(&mut self, from: usize) {
        self.characters.drain(from..self.cursor);
        self.cursor = from;
    }

    /// Deletes the characters from the cursor to a position.
    fn delete_until(&mut self, end: usize) {
        self.characters.drain(self.cursor..end);
    }
}
