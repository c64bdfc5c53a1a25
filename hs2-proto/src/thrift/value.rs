//! What values have in common, and the two macros that spell structs and enumerations once for both directions.

use super::{DecodeError, Reader, WireType};

/// Something that has a type code.
pub trait Value {
    /// The code before a field or in a list's header.
    const TYPE: WireType;
}

/// Something that can be read from a message.
pub trait Decode: Value + Sized {
    /// Reads the value, whose type code has been read and is right.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Something that can be written into a message.
pub trait Encode: Value {
    /// Appends the value, without its type code.
    fn write(&self, out: &mut Vec<u8>);
}

/// A struct of the service definition: its fields with their ids, `required` or `optional`, and their names there.
/// A required field is written always and must come; an optional one is an `Option`. Unknown fields are skipped.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident = $record:literal {
            $( $(#[$field_meta:meta])* $id:literal: $need:ident $field:ident: $type:ty = $field_name:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[doc = concat!("\n\n`", $record, "` of the service definition.")]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $crate::thrift::record!(@type $need $type), )*
        }

        impl $crate::thrift::Value for $name {
            const TYPE: $crate::thrift::WireType = $crate::thrift::WireType::STRUCT;
        }

        impl $crate::thrift::Decode for $name {
            fn read(reader: &mut $crate::thrift::Reader<'_>) -> Result<Self, $crate::thrift::DecodeError> {
                $( let mut $field: Option<$type> = None; )*
                while let Some((code, id)) = reader.field()? {
                    match id {
                        $( $id => $field = Some(reader.value(code, $record, $field_name)?), )*
                        _ => reader.skip(code)?,
                    }
                }
                Ok(Self { $( $field: $crate::thrift::record!(@take $need $field $record $field_name), )* })
            }
        }

        impl $crate::thrift::Encode for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $( $crate::thrift::record!(@write $need out $id &self.$field); )*
                out.push($crate::thrift::WireType::STOP.0);
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@take required $value:ident $record:literal $field:literal) => {
        $value.ok_or($crate::thrift::DecodeError::MissingField { record: $record, field: $field })?
    };
    (@take optional $value:ident $record:literal $field:literal) => { $value };
    (@write required $out:ident $id:literal $value:expr) => { $crate::thrift::write_field($out, $id, $value) };
    (@write optional $out:ident $id:literal $value:expr) => {
        if let Some(value) = $value {
            $crate::thrift::write_field($out, $id, value);
        }
    };
}
pub(crate) use record;

/// An enumeration of the service definition that keeps numbers it does not know.
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        pub struct $name:ident = $definition:literal {
            $( $(#[$member_meta:meta])* $member:ident = $number:literal $text:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[doc = concat!("\n\n`", $definition, "` of the service definition. Open: a number of a later version is kept.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i32);

        impl $name {
            $( $(#[$member_meta])* #[doc = concat!("`", $text, "`")] pub const $member: Self = Self($number); )*

            /// The name in the service definition, or `None` for a number it does not have.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $number => Some($text), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{} {}", $definition, self.0),
                }
            }
        }

        impl $crate::thrift::Value for $name {
            const TYPE: $crate::thrift::WireType = $crate::thrift::WireType::I32;
        }

        impl $crate::thrift::Decode for $name {
            fn read(reader: &mut $crate::thrift::Reader<'_>) -> Result<Self, $crate::thrift::DecodeError> {
                <i32 as $crate::thrift::Decode>::read(reader).map(Self)
            }
        }

        impl $crate::thrift::Encode for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $crate::thrift::Encode::write(&self.0, out);
            }
        }
    };
}
pub(crate) use open_enum;

#[cfg(test)]
#[allow(unreachable_pub)] // The macro makes public structs.
mod tests {
    use super::*;
    use crate::thrift::{StringMap, write_field};

    record! {
        /// A test struct.
        pub struct Sample = "TSample" {
            /// A number.
            1: required number: i32 = "number",
            /// A text.
            2: optional text: String = "text",
            /// A list of maps.
            4: optional maps: Vec<StringMap<i64>> = "maps",
        }
    }

    fn read(bytes: &[u8]) -> Result<Sample, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sample = Sample::read(&mut reader)?;
        reader.finish()?;
        Ok(sample)
    }

    #[test]
    fn fields_come_in_any_order_and_unknown_ones_are_skipped() {
        let sample = Sample {
            number: 7,
            text: Some("ü".to_owned()),
            maps: Some(vec![
                [("k", 1i64)].into_iter().collect(),
                StringMap::default(),
            ]),
        };
        let mut bytes = Vec::new();
        sample.write(&mut bytes);
        assert_eq!(read(&bytes).as_ref(), Ok(&sample));

        let mut shuffled = Vec::new();
        write_field(&mut shuffled, 99, &vec![sample.clone()]);
        write_field(&mut shuffled, 2, &"ü".to_owned());
        write_field(&mut shuffled, -1, &true);
        write_field(&mut shuffled, 1, &7);
        shuffled.push(0);
        assert_eq!(
            read(&shuffled),
            Ok(Sample {
                maps: None,
                ..sample
            })
        );
    }

    #[test]
    fn errors_name_struct_and_field() {
        assert_eq!(
            read(b"\0"),
            Err(DecodeError::MissingField {
                record: "TSample",
                field: "number"
            })
        );
        let wrong = read(b"\x0a\0\x01\0\0\0\0\0\0\0\x07\0").unwrap_err();
        assert_eq!(wrong.to_string(), "TSample.number is a i64, not a i32");
        assert_eq!(
            read(b"\x0b\0\x02\0\0\0\x01\xff\0"),
            Err(DecodeError::NotUtf8 {
                record: "TSample",
                field: "text"
            })
        );
        let element = read(b"\x0f\0\x04\x08\0\0\0\x01\0\0\0\0\0").unwrap_err();
        assert_eq!(element.to_string(), "TSample.maps is a i32, not a map");
        assert_eq!(
            read(b"\x08\0\x01\0\0\0\x07\0\0"),
            Err(DecodeError::Trailing { bytes: 1 })
        );
    }

    #[test]
    fn counts_are_checked_against_the_bytes_before_anything_is_kept() {
        for bytes in [
            &b"\x0f\0\x04\x0d\x7f\xff\xff\xff\0"[..],
            b"\x0b\0\x02\x7f\xff\xff\xff",
        ] {
            assert!(matches!(
                read(bytes),
                Err(DecodeError::Truncated {
                    needed: 0x7fff_ffff,
                    ..
                })
            ));
        }
        assert_eq!(
            read(b"\x0b\0\x02\x80\0\0\0"),
            Err(DecodeError::NegativeLength { length: i32::MIN })
        );
    }

    #[test]
    fn an_empty_list_may_say_any_element_type() {
        let sample = read(b"\x08\0\x01\0\0\0\x07\x0f\0\x04\0\0\0\0\0\0").unwrap();
        assert_eq!(sample.maps, Some(Vec::new()));
    }
}
