//! Numbers of the protocol that stay open: those that are known here have a name, any other is kept as it is.

/// Gives a newtype over `i32` its named constants, and the names that Java has for them.
macro_rules! open_number {
    ($type:ident; $($(#[$doc:meta])* $name:ident = $number:literal, $java:literal;)*) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Java's name for it; `None` for a number that is not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($java),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use open_number;
