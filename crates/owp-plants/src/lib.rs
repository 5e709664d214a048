//! Bugs that can be planted, to check that the simulation finds them.
//!
//! A plant is a mistake that somebody could make. The code around it asks [`is_planted`] and, if so, makes the mistake.
//! Without the feature `active` the answer is a constant `false`, and the compiler removes the mistake.

#[cfg(feature = "active")]
use std::cell::Cell;

/// Declares the plants: variant, name on the command line, the mistake in one sentence.
macro_rules! plants {
    ($($(#[$doc:meta])* $plant:ident = $name:literal, $mistake:literal;)*) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Plant {
            $(#[doc = $mistake] $plant,)*
        }

        impl Plant {
            /// Every plant.
            pub const ALL: &[Self] = &[$(Self::$plant,)*];

            /// Returns its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$plant => $name,)* }
            }

            /// Returns the mistake, as a sentence.
            #[must_use]
            pub const fn mistake(self) -> &'static str {
                match self { $(Self::$plant => $mistake,)* }
            }

            /// Returns the plant with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|plant| plant.name() == name)
            }
        }
    };
}

plants! {
    BudgetIgnoresLeases = "budget-ignores-leases", "The review budget counts open pull requests, but no leases.";
}

#[cfg(feature = "active")]
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Plants a bug in everything that runs on this thread, or none.
#[cfg(feature = "active")]
pub fn plant(plant: Option<Plant>) {
    PLANTED.set(plant);
}

/// Returns true if this bug is planted on this thread.
#[cfg(feature = "active")]
#[must_use]
pub fn is_planted(plant: Plant) -> bool {
    PLANTED.get() == Some(plant)
}

/// Returns false: this build has no plants.
#[cfg(not(feature = "active"))]
#[must_use]
#[inline(always)]
pub const fn is_planted(_: Plant) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::Plant;
    use std::collections::BTreeSet;

    #[test]
    fn every_plant_has_a_name_of_its_own_and_says_what_is_wrong() {
        let names: BTreeSet<_> = Plant::ALL.iter().map(|plant| plant.name()).collect();
        assert_eq!(names.len(), Plant::ALL.len());
        for plant in Plant::ALL {
            assert_eq!(Plant::from_name(plant.name()), Some(*plant));
            assert!(plant.mistake().ends_with('.'), "{}", plant.name());
        }
    }
}
