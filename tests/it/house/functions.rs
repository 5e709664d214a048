//! Limit on the length of a function.

use super::source::SourceFile;
use syn::{spanned::Spanned, visit::Visit};

/// Lines from the signature to the closing brace. 70 is a lot already; this is where the house says stop.
pub(crate) const LONGEST_FUNCTION: usize = 100;

/// Every function that is too long. A file that does not parse is reported by another test.
pub(crate) fn too_long(file: &SourceFile) -> Vec<String> {
    let mut measure = Measure { path: &file.path, found: Vec::new() };
    if let Ok(parsed) = syn::parse_file(&file.text) {
        measure.visit_file(&parsed);
    }
    measure.found
}

struct Measure<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Measure<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line + 1 - first;
        if lines > LONGEST_FUNCTION {
            self.found.push(format!(
                "{}:{first}: `{}` has {lines} lines; at most {LONGEST_FUNCTION}",
                self.path, signature.ident
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Measure<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_FUNCTION, SourceFile, too_long};

    /// A function of exactly `lines` lines.
    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    fn found(text: &str) -> usize {
        too_long(&SourceFile::new("src/a.rs", text)).len()
    }

    #[test]
    fn a_function_one_line_too_long_is_caught_wherever_it_hides() {
        let (longest, too_much) = (function(LONGEST_FUNCTION), function(LONGEST_FUNCTION + 1));
        assert_eq!((found(&longest), found(&too_much)), (0, 1));
        for around in
            ["impl A { # }", "trait A { # }", "mod a { mod b { # } }", "fn f() { # }", "impl B for A { pub # }"]
        {
            assert!(found(&around.replace('#', &too_much)) >= 1, "{around}");
        }
        let documented = format!("{}#[test]\n{longest}", "/// Words.\n".repeat(50));
        assert_eq!(found(&documented), 0, "documentation is not length");
    }
}
