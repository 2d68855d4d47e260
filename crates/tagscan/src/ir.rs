//! The intermediate representation that every front end produces: commands as a shell has them, with spans.
//!
//! The effect of a command's failure follows from the tree: whether it is part of a condition, of `&&` or `||`, or of a
//! pipeline.

use std::rc::Rc;

use spanned_yaml::Span;

use crate::value::Value;

/// A command.
#[derive(Debug)]
pub(crate) enum Node {
    /// Assignments, words and redirections.
    Call(Call),
    /// Commands one after the other.
    Sequence(Vec<Node>),
    /// A command, and each further one with the condition on which it runs.
    AndOr(Box<Node>, Vec<(Condition, Node)>),
    /// Commands whose output is the input of the next.
    Pipeline(Vec<Node>),
    /// A command with its status inverted.
    Not(Box<Node>),
    /// Conditions with their branches, and the branch of `else`.
    If(Vec<(Node, Node)>, Option<Box<Node>>),
    /// A subject, and branches with their patterns.
    Case(Word, Vec<Arm>),
    /// A loop over words; over the arguments if there are none.
    For(String, Option<Vec<Word>>, Rc<Node>),
    /// A loop with a condition; `until` inverts it.
    While { until: bool, condition: Box<Node>, body: Rc<Node> },
    /// The definition of a function.
    Function(String, Rc<Node>),
    /// Commands in a separate shell.
    Subshell(Box<Node>),
    /// `[[ … ]]`.
    Test(Vec<Word>),
    /// `(( … ))`.
    Arithmetic(Word),
    /// A compound command with redirections.
    Redirected(Box<Node>, Vec<Redirect>),
}

/// An arm of `case`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) patterns: Vec<Word>,
    pub(crate) body: Node,
    pub(crate) end: ArmEnd,
}

/// The end of an arm of `case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArmEnd {
    /// `;;`: the command ends.
    Stop,
    /// `;&`: the next body runs without a test of its patterns.
    NextBody,
    /// `;;&`: the next patterns are tried too.
    NextPattern,
}

/// The condition on which a command of a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The command before succeeded.
    Success,
    /// The command before failed.
    Failure,
}

/// A simple command.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) span: Span,
    /// Assignments before the words, or after `export` and its kin.
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
}

/// An assignment to a variable.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) index: Option<Word>,
    pub(crate) appends: bool,
    pub(crate) value: Assigned,
}

/// The right side of an assignment.
#[derive(Debug)]
pub(crate) enum Assigned {
    Word(Word),
    /// Elements, each with its key if it has one.
    Array(Vec<(Option<Word>, Word)>),
}

/// A redirection of input or output.
#[derive(Debug)]
pub(crate) enum Redirect {
    /// Input from a file.
    From(Word),
    /// Input from a text: a here-document or a here-string.
    Text(Word),
    /// Output to a file.
    To { file: Word, appends: bool },
}

/// A word before expansion: pieces side by side.
#[derive(Debug, Default)]
pub(crate) struct Word {
    pub(crate) span: Span,
    pub(crate) pieces: Vec<Piece>,
}

/// Whether a part of a word is inside quotes: then it is neither split into words nor a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    Quoted,
    Unquoted,
}

/// A part of a word.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Text.
    Text { value: Value, quoting: Quoting },
    /// A variable.
    Parameter { parameter: Box<Parameter>, quoting: Quoting },
    /// The output of commands.
    Output { body: Box<Node>, quoting: Quoting },
    /// A file with the output of commands: `<( … )`.
    Process { body: Box<Node>, span: Span },
    /// `$(( … ))`.
    Arithmetic(Word),
    /// Alternatives that make several words: `{a,b}`.
    Braces(Vec<Word>),
}

/// A reference to a variable.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) index: Index,
    pub(crate) operation: Operation,
}

/// The elements that a reference means.
#[derive(Debug, Default)]
pub(crate) enum Index {
    #[default]
    None,
    /// `[@]`.
    Each,
    /// `[*]`.
    Joined,
    /// One element.
    At(Word),
}

/// The end of a value that an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// `#`.
    Start,
    /// `%`.
    End,
}

/// Which of several matches at an end an operation removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One character: `#`, `%`.
    Shortest,
    /// Two: `##`, `%%`.
    Longest,
}

/// The matches that `${T/pattern/with}` replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matches {
    First,
    /// `//`.
    All,
    /// `/#` and `/%`.
    At(End),
}

/// An operation on the value of a variable.
#[derive(Debug, Default)]
pub(crate) enum Operation {
    #[default]
    None,
    Length,
    Indirect,
    /// The keys of an array: `${!A[@]}`.
    Keys,
    /// `-`, `=`, `+` or `?`; with a colon an empty value counts as none.
    Default {
        operator: char,
        colon: bool,
        word: Word,
    },
    Trim {
        end: End,
        extent: Extent,
        pattern: Word,
    },
    Replace {
        matches: Matches,
        pattern: Word,
        with: Word,
    },
    Slice(Word, Option<Word>),
    Case {
        upper: bool,
        all: bool,
    },
}

impl Node {
    /// Calls a function with every assignment, and every name that `for` or `read` set, in the commands of the node.
    pub(crate) fn assigned_names(&self, found: &mut dyn FnMut(&str)) {
        match self {
            Self::Call(call) => {
                call.assignments.iter().for_each(|assignment| found(&assignment.name));
                let words: Vec<&str> = call.words.iter().filter_map(Word::as_text).collect();
                if let ["read" | "mapfile" | "readarray" | "getopts" | "printf", names @ ..] = words.as_slice() {
                    names.iter().for_each(|name| found(name));
                }
            }
            Self::Sequence(nodes) | Self::Pipeline(nodes) => nodes.iter().for_each(|node| node.assigned_names(found)),
            Self::AndOr(first, rest) => {
                first.assigned_names(found);
                rest.iter().for_each(|(_, node)| node.assigned_names(found));
            }
            Self::Not(node) | Self::Redirected(node, _) => node.assigned_names(found),
            Self::If(arms, otherwise) => {
                for (condition, body) in arms {
                    condition.assigned_names(found);
                    body.assigned_names(found);
                }
                otherwise.iter().for_each(|node| node.assigned_names(found));
            }
            Self::Case(_, arms) => arms.iter().for_each(|arm| arm.body.assigned_names(found)),
            Self::For(name, _, body) => {
                found(name);
                body.assigned_names(found);
            }
            Self::While { condition, body, .. } => {
                condition.assigned_names(found);
                body.assigned_names(found);
            }
            Self::Function(_, body) => body.assigned_names(found),
            Self::Arithmetic(word) => {
                let names = word.as_text().unwrap_or_default();
                names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').for_each(found);
            }
            Self::Subshell(_) | Self::Test(_) => {}
        }
    }
}

impl Word {
    /// The text of a word that is one piece of plain text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text { value, .. }] => Some(value.text()),
            [] => Some(""),
            _ => None,
        }
    }
}
