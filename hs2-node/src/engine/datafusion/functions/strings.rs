//! String functions by Hive's rules. Lengths and positions count characters.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ScalarUDF, TypeSignature};

use super::udf::{Args, Fixed};

/// The most bytes that `repeat`, `space` or a pad make of one batch of rows.
const LENGTH_MAX: usize = 256 << 20;

/// `concat`, and the operator `||`.
pub(crate) fn concat() -> ScalarUDF {
    let texts = TypeSignature::Variadic(vec![DataType::Utf8]);
    Fixed::with_shape("hive concat", texts, DataType::Utf8, |a| {
        strings(a, |a, i, out| {
            (0..a.len()).try_for_each(|k| push(out, a.strings(k).get(i)?))
        })
    })
}

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    use DataType::{Int32, Utf8};
    let one: &[DataType] = &[Utf8];
    vec![
        Fixed::udf("hive upper", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                push(out, a.strings(0).get(i)?.to_uppercase())
            })
        }),
        Fixed::udf("hive lower", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                push(out, a.strings(0).get(i)?.to_lowercase())
            })
        }),
        Fixed::udf("hive initcap", &[one], Utf8, |a| {
            strings(a, |a, i, out| push(out, initcap(a.strings(0).get(i)?)))
        }),
        Fixed::udf("hive reverse", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                out.extend(a.strings(0).get(i)?.chars().rev());
                Some(())
            })
        }),
        Fixed::udf("hive trim", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                push(out, a.strings(0).get(i)?.trim_matches(' '))
            })
        }),
        Fixed::udf("hive ltrim", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                push(out, a.strings(0).get(i)?.trim_start_matches(' '))
            })
        }),
        Fixed::udf("hive rtrim", &[one], Utf8, |a| {
            strings(a, |a, i, out| {
                push(out, a.strings(0).get(i)?.trim_end_matches(' '))
            })
        }),
        Fixed::udf("hive length", &[one], Int32, |a| {
            ints(a, |a, i| Some(characters(a.strings(0).get(i)?)))
        }),
        Fixed::udf("hive ascii", &[one], Int32, |a| {
            ints(a, |a, i| {
                Some(
                    a.strings(0)
                        .get(i)?
                        .bytes()
                        .next()
                        .map_or(0, |b| i32::from(b.cast_signed())),
                )
            })
        }),
        Fixed::udf(
            "hive substr",
            &[&[Utf8, Int32], &[Utf8, Int32, Int32]],
            Utf8,
            |a| {
                strings(a, |a, i, out| {
                    let length = if a.len() == 3 {
                        a.ints(2).get(i)?
                    } else {
                        i32::MAX
                    };
                    push(out, substr(a.strings(0).get(i)?, a.ints(1).get(i)?, length))
                })
            },
        ),
        Fixed::udf("hive instr", &[&[Utf8, Utf8]], Int32, |a| {
            ints(a, |a, i| {
                Some(position(a.strings(0).get(i)?, a.strings(1).get(i)?, 1))
            })
        }),
        Fixed::udf(
            "hive locate",
            &[&[Utf8, Utf8], &[Utf8, Utf8, Int32]],
            Int32,
            |a| {
                ints(a, |a, i| {
                    let from = if a.len() == 3 { a.ints(2).get(i)? } else { 1 };
                    Some(position(a.strings(1).get(i)?, a.strings(0).get(i)?, from))
                })
            },
        ),
        Fixed::udf("hive replace", &[&[Utf8, Utf8, Utf8]], Utf8, |a| {
            strings(a, |a, i, out| {
                let (text, from, to) = (
                    a.strings(0).get(i)?,
                    a.strings(1).get(i)?,
                    a.strings(2).get(i)?,
                );
                if from.is_empty() {
                    push(out, text)
                } else {
                    push(out, text.replace(from, to))
                }
            })
        }),
        Fixed::udf("hive translate", &[&[Utf8, Utf8, Utf8]], Utf8, |a| {
            strings(a, |a, i, out| {
                let (text, from, to) = (
                    a.strings(0).get(i)?,
                    a.strings(1).get(i)?,
                    a.strings(2).get(i)?,
                );
                out.extend(
                    text.chars()
                        .filter_map(|c| match from.chars().position(|f| f == c) {
                            Some(at) => to.chars().nth(at),
                            None => Some(c),
                        }),
                );
                Some(())
            })
        }),
        Fixed::udf("hive substring_index", &[&[Utf8, Utf8, Int32]], Utf8, |a| {
            strings(a, |a, i, out| {
                let count = a.ints(2).get(i)?;
                push(
                    out,
                    substring_index(a.strings(0).get(i)?, a.strings(1).get(i)?, count),
                )
            })
        }),
        Fixed::udf("hive find_in_set", &[&[Utf8, Utf8]], Int32, |a| {
            ints(a, |a, i| {
                let (text, list) = (a.strings(0).get(i)?, a.strings(1).get(i)?);
                let found = list.split(',').position(|part| part == text);
                Some(found.map_or(0, |at| i32::try_from(at + 1).unwrap_or(i32::MAX)))
            })
        }),
        Fixed::udf("hive repeat", &[&[Utf8, Int32]], Utf8, |a| {
            bounded(a, |a, i| {
                Some(a.strings(0).get(i)?.len() * usize::try_from(a.ints(1).get(i)?).unwrap_or(0))
            })?;
            strings(a, |a, i, out| {
                push(
                    out,
                    a.strings(0)
                        .get(i)?
                        .repeat(usize::try_from(a.ints(1).get(i)?).unwrap_or(0)),
                )
            })
        }),
        Fixed::udf("hive space", &[&[Int32]], Utf8, |a| {
            bounded(a, |a, i| {
                Some(usize::try_from(a.ints(0).get(i)?).unwrap_or(0))
            })?;
            strings(a, |a, i, out| {
                push(
                    out,
                    " ".repeat(usize::try_from(a.ints(0).get(i)?).unwrap_or(0)),
                )
            })
        }),
        Fixed::udf("hive lpad", &[&[Utf8, Int32, Utf8]], Utf8, |a| pad(a, true)),
        Fixed::udf("hive rpad", &[&[Utf8, Int32, Utf8]], Utf8, |a| {
            pad(a, false)
        }),
        concat(),
        Fixed::with_shape(
            "hive concat_ws",
            TypeSignature::Variadic(vec![Utf8]),
            Utf8,
            |a| {
                strings(a, |a, i, out| {
                    let separator = a.strings(0).get(i)?;
                    let parts: Vec<&str> =
                        (1..a.len()).filter_map(|k| a.strings(k).get(i)).collect();
                    push(out, parts.join(separator))
                })
            },
        ),
    ]
}

fn push(out: &mut String, text: impl AsRef<str>) -> Option<()> {
    out.push_str(text.as_ref());
    Some(())
}

/// A string for each row; the kernel writes it, or says NULL.
fn strings(
    args: &Args,
    kernel: impl Fn(&Args, usize, &mut String) -> Option<()>,
) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(args.rows, args.rows * 16);
    let mut buffer = String::new();
    for i in 0..args.rows {
        buffer.clear();
        match kernel(args, i, &mut buffer) {
            Some(()) => out.append_value(&buffer),
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn ints(args: &Args, kernel: impl Fn(&Args, usize) -> Option<i32>) -> Result<ArrayRef> {
    let values: Int32Array = (0..args.rows).map(|i| kernel(args, i)).collect();
    Ok(Arc::new(values))
}

/// Fails where a batch of results would take more memory than it may.
fn bounded(args: &Args, length: impl Fn(&Args, usize) -> Option<usize>) -> Result<()> {
    let mut total = 0_usize;
    for length in (0..args.rows).filter_map(|i| length(args, i)) {
        total = total.saturating_add(length);
        if total > LENGTH_MAX {
            return exec_err!(
                "a function's results for one batch of rows are longer than {LENGTH_MAX} bytes"
            );
        }
    }
    Ok(())
}

fn characters(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX)
}

/// The slice from character `position` (from 1; negative from the end), at most `length` characters.
fn substr(text: &str, position: i32, length: i32) -> &str {
    let count = characters(text);
    let Ok(length) = usize::try_from(length) else {
        return "";
    };
    if position.unsigned_abs() > count.unsigned_abs() {
        return "";
    }
    let skip = if position > 0 {
        position - 1
    } else if position < 0 {
        count + position
    } else {
        0
    };
    let byte = |n: usize, text: &str| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let rest = &text[byte(usize::try_from(skip).unwrap_or(0), text)..];
    &rest[..byte(length, rest)]
}

/// Where `part` stands in `text`, in characters from 1, at or behind `from`; 0 where it does not.
fn position(text: &str, part: &str, from: i32) -> i32 {
    let Ok(skip) = usize::try_from(i64::from(from) - 1) else {
        return 0;
    };
    let Some((start, _)) = text
        .char_indices()
        .map(|(at, c)| (at, c.len_utf8()))
        .chain([(text.len(), 0)])
        .nth(skip)
    else {
        return 0;
    };
    text[start..]
        .find(part)
        .map_or(0, |at| from + characters(&text[start..start + at]))
}

/// What stands before the `count`th separator, or behind it counted from the end.
fn substring_index<'a>(text: &'a str, separator: &str, count: i32) -> &'a str {
    if separator.is_empty() || count == 0 {
        return "";
    }
    let nth = count.unsigned_abs() as usize - 1;
    if count > 0 {
        match text.match_indices(separator).nth(nth) {
            Some((at, _)) => &text[..at],
            None => text,
        }
    } else {
        match text.rmatch_indices(separator).nth(nth) {
            Some((at, _)) => &text[at + separator.len()..],
            None => text,
        }
    }
}

/// The first letter of each word in upper case, the others in lower case; white space parts words.
fn initcap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut first = true;
    for c in text.to_lowercase().chars() {
        if first {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        first = c.is_whitespace();
    }
    out
}

fn pad(args: &Args, left: bool) -> Result<ArrayRef> {
    let (texts, lengths, fills) = (args.strings(0), args.ints(1), args.strings(2));
    match lengths.constant() {
        Some(length) => {
            let length = usize::try_from(length)
                .unwrap_or(0)
                .saturating_mul(args.rows);
            bounded(args, |_, i| (i == 0).then_some(length))?;
        }
        None => bounded(args, |_, i| {
            Some(usize::try_from(lengths.get(i)?).unwrap_or(0))
        })?,
    }
    let ascii = texts.is_ascii();
    // With one constant length and fill, a piece of this is all that each row needs.
    let constant = match (lengths.constant(), fills.constant()) {
        (Some(length), Some(fill)) if ascii && fill.is_ascii() && !fill.is_empty() => {
            let length = usize::try_from(length).ok();
            length.map(|length| (length, fill.repeat(length.div_ceil(fill.len()))))
        }
        _ => None,
    };
    strings(args, |_, i, out| {
        let text = texts.get(i)?;
        if let Some((length, filled)) = &constant {
            match filled.get(..length.saturating_sub(text.len())) {
                None | Some("") => out.push_str(&text[..*length]),
                Some(piece) if left => {
                    out.push_str(piece);
                    out.push_str(text);
                }
                Some(piece) => {
                    out.push_str(text);
                    out.push_str(piece);
                }
            }
            return Some(());
        }
        let (fill, length) = (fills.get(i)?, usize::try_from(lengths.get(i)?).ok()?);
        if fill.is_empty() {
            return None;
        }
        let count = text.chars().count();
        if count >= length {
            let end = text
                .char_indices()
                .nth(length)
                .map_or(text.len(), |(at, _)| at);
            return push(out, &text[..end]);
        }
        if !left {
            out.push_str(text);
        }
        out.extend(fill.chars().cycle().take(length - count));
        if left {
            out.push_str(text);
        }
        Some(())
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, StringArray};

    use super::*;

    #[test]
    fn substr_counts_as_in_hive() {
        for (text, position, length, result) in [
            ("Facebook", 5, i32::MAX, "book"),
            ("Facebook", -5, i32::MAX, "ebook"),
            ("Facebook", 5, 1, "b"),
            ("hello", 0, 2, "he"),
            ("hello", -3, i32::MAX, "llo"),
            ("hello", -10, 8, ""),
            ("hello", 6, 1, ""),
            ("hello", 2, 0, ""),
            ("hello", 2, -1, ""),
            ("héllo", 2, 2, "él"),
            ("", 1, 1, ""),
        ] {
            assert_eq!(
                substr(text, position, length),
                result,
                "{text} {position} {length}"
            );
        }
    }

    #[test]
    fn pads_count_characters() {
        let pad = |texts: &[&str], length: i32, fill: &[&str], left| {
            let array = |texts: &[&str]| -> (ArrayRef, bool) {
                (
                    Arc::new(StringArray::from(texts.to_vec())),
                    texts.len() == 1,
                )
            };
            let length: (ArrayRef, bool) = (Arc::new(Int32Array::from(vec![length])), true);
            let args = Args::new(
                vec![array(texts), length, array(fill)],
                texts.len().max(fill.len()),
            );
            let padded = pad(&args, left).expect("pads");
            padded
                .as_string::<i32>()
                .iter()
                .map(|v| v.unwrap_or("NULL").to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        // One constant fill, and a fill for each row.
        for fill in [&["xy"][..], &["xy", "xy", "xy"]] {
            assert_eq!(pad(&["abc", "a", ""], 2, fill, true), "ab,xa,xy");
            assert_eq!(pad(&["abc", "a", ""], 4, fill, false), "abcx,axyx,xyxy");
            assert_eq!(pad(&["é", "éé", "ééé"], 2, fill, true), "xé,éé,éé");
        }
        assert_eq!(pad(&["a", "b"], 3, &[""], true), "NULL,NULL");
        assert_eq!(pad(&["a", "b"], -1, &["x"], true), "NULL,NULL");
        assert_eq!(pad(&["abc", "b"], 0, &["x"], true), ",");
    }

    #[test]
    fn position_counts_characters() {
        assert_eq!(position("foobar", "bar", 1), 4);
        assert_eq!(position("éébar", "bar", 1), 3);
        assert_eq!(position("barbar", "bar", 2), 4);
        assert_eq!(position("bar", "x", 1), 0);
        assert_eq!(position("bar", "bar", 0), 0);
        assert_eq!(position("bar", "b", 9), 0);
        assert_eq!(position("bar", "b", i32::MIN), 0);
    }

    #[test]
    fn initcap_follows_white_space() {
        assert_eq!(initcap("tHe soap's-bar\tX"), "The Soap's-bar\tX");
    }
}
