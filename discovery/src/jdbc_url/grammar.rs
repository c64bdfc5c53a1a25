//! Where the parts of a URL begin and end.

use nom::bytes::complete::{tag, take_till};
use nom::character::complete::char;
use nom::combinator::{opt, rest};
use nom::multi::separated_list0;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::escape::{Decoded, decode};
use super::warning::Warning;
use super::{URL_PREFIX, Variables};
use crate::endpoint::{HostPort, host_port_list};
use crate::error::UrlProblem;

/// What is wrong, and at which byte of the URL.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) problem: UrlProblem,
}

/// The parts of a URL as written, escapes and all, each with the byte at which it begins.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    hosts: &'a str,
    path: Option<(usize, &'a str)>,
    confs: Option<(usize, &'a str)>,
    vars: Option<(usize, &'a str)>,
}

/// One `name=value`, with the bytes of the URL at which each begins.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) name_at: usize,
    pub(super) value_at: usize,
}

/// The cutting knows one error: the prefix is missing.
type Parsed<'a, T> = IResult<&'a str, T, ()>;

impl<'a> Sections<'a> {
    /// Cuts a URL at its marks.
    pub(super) fn of(url: &'a str) -> Result<Self, Fault> {
        let (left, sections) = sections(url).map_err(|_| Fault {
            offset: 0,
            problem: UrlProblem::Prefix,
        })?;
        let (offset, problem) = match (sections.hosts, left) {
            ("", _) => (URL_PREFIX.len(), UrlProblem::Embedded),
            (_, "") => return Ok(sections),
            // Only a `;` right behind the hosts stops the cutting.
            _ => (url.len() - left.len(), UrlProblem::MissingSlash),
        };
        Err(Fault { offset, problem })
    }

    pub(super) fn hosts(&self) -> Result<Vec<HostPort>, Fault> {
        host_port_list(self.hosts).map_err(|fault| Fault {
            offset: URL_PREFIX.len() + self.hosts.len() - fault.at.len(),
            problem: fault.why.into(),
        })
    }

    /// The database, empty when there is none, and the session variables.
    pub(super) fn path(&self, warnings: &mut Vec<Warning>) -> Result<(String, Vec<Pair>), Fault> {
        let path = decoded(self.path)?;
        let (database, _) = path.text().split_once(';').unwrap_or((path.text(), ""));
        Ok((database.to_owned(), pairs(&path, database.len(), warnings)))
    }

    pub(super) fn confs(&self, warnings: &mut Vec<Warning>) -> Result<Vec<Pair>, Fault> {
        Ok(pairs(&decoded(self.confs)?, 0, warnings))
    }

    pub(super) fn vars(&self, warnings: &mut Vec<Warning>) -> Result<Variables, Fault> {
        let pairs = pairs(&decoded(self.vars)?, 0, warnings);
        Ok(pairs
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect())
    }
}

fn sections(url: &str) -> Parsed<'_, Sections<'_>> {
    let is_mark = |c| matches!(c, '/' | ';' | '?' | '#');
    // Where the text after the mark begins that `left` begins with.
    let start = |left: &str| url.len() - left.len() + 1;

    let (left, hosts) = preceded(tag(URL_PREFIX), take_till(is_mark)).parse(url)?;
    let path_at = start(left);
    let path = preceded(char('/'), take_till(|c| matches!(c, '?' | '#')));
    let (left, path) = opt(path).parse(left)?;
    let confs_at = start(left);
    let (left, confs) = opt(preceded(char('?'), take_till(|c| c == '#'))).parse(left)?;
    let vars_at = start(left);
    let (left, vars) = opt(preceded(char('#'), rest)).parse(left)?;
    let sections = Sections {
        hosts,
        path: path.map(|text| (path_at, text)),
        confs: confs.map(|text| (confs_at, text)),
        vars: vars.map(|text| (vars_at, text)),
    };
    Ok((left, sections))
}

fn decoded(section: Option<(usize, &str)>) -> Result<Decoded, Fault> {
    let (start, text) = section.unwrap_or_default();
    decode(text, start)
}

/// The pairs of `list` from the byte `from` of its text. Text without a `=` is no pair.
fn pairs(list: &Decoded, from: usize, warnings: &mut Vec<Warning>) -> Vec<Pair> {
    let text = list.text();
    let segment = take_till(|c| c == ';');
    let parsed: Parsed<'_, Vec<&str>> =
        separated_list0(char(';'), segment).parse(text.get(from..).unwrap_or(""));
    let (_, segments) = parsed.unwrap_or_default();

    let mut pairs = Vec::new();
    let mut at = from;
    for segment in segments {
        let name_at = list.offset(at);
        if let Some((name, value)) = segment.split_once('=') {
            if name.is_empty() {
                warnings.push(Warning::EmptyName { offset: name_at });
            }
            pairs.push(Pair {
                name: name.to_owned(),
                value: value.to_owned(),
                name_at,
                value_at: list.offset(at + name.len() + 1),
            });
        } else if !segment.is_empty() {
            warnings.push(Warning::NoValue { offset: name_at });
        }
        at += segment.len() + 1;
    }
    pairs
}
