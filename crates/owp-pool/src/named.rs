//! The idiom for enums whose values have stable names, which rows, the protocol and comments contain.

/// Declares an enum with the list of its values, and the way to a stable name and back. Because a value and its name are
/// one line, no value can be missing from the list.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident {
            $($(#[$doc:meta])* $Value:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Enum { $($(#[$doc])* $Value,)* }

        impl $Enum {
            /// All values, in the order in which they are listed for people.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$Value),*];

            /// Returns the stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Value => $name,)* }
            }

            /// Finds a value by its stable name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.name() == name)
            }
        }
    };
}
pub(crate) use named_enum;
