//! As much of a Dockerfile as the tests ask about. No variables, heredocs or escapes.

use std::collections::BTreeMap;

pub(crate) struct Dockerfile {
    /// Instruction and the rest of its line, continuation lines joined, comments left out.
    instructions: Vec<(String, String)>,
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        let joined = lines.join("\n").replace("\\\n", " ");
        let instructions = joined
            .lines()
            .map(|line| {
                let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
                (word.to_uppercase(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect();
        Self { instructions }
    }

    pub(crate) fn stages(&self) -> usize {
        self.instructions.iter().filter(|(word, _)| word == "FROM").count()
    }

    /// The argument that holds in the last stage, as written.
    pub(crate) fn argument(&self, instruction: &str) -> String {
        let last_stage = self.instructions.iter().rposition(|(word, _)| word == "FROM").expect("a FROM");
        let found = self.instructions[last_stage..].iter().rfind(|(word, _)| word == instruction);
        found.unwrap_or_else(|| panic!("the last stage has no {instruction}")).1.clone()
    }

    /// The JSON list of `ENTRYPOINT`, `CMD` or `HEALTHCHECK … CMD`: without a shell, so that signals arrive.
    pub(crate) fn list(&self, instruction: &str) -> Vec<String> {
        let argument = self.argument(instruction);
        let json = argument.find('[').map(|at| &argument[at..]).expect("the form without a shell");
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{instruction} {json}: {e}"))
    }

    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let pairs = self.instructions.iter().filter(|(word, _)| word == "ENV").flat_map(|(_, rest)| rest.split(' '));
        pairs.map(|pair| pair.split_once('=').expect("NAME=value")).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    /// Returns the paths `COPY` takes from the build context.
    pub(crate) fn copied_from_context(&self) -> Vec<String> {
        let copies = self.instructions.iter().filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
        copies
            .flat_map(|(_, rest)| {
                let mut words: Vec<String> = rest.split(' ').map(str::to_owned).collect();
                words.pop();
                words
            })
            .collect()
    }
}

#[test]
fn a_dockerfile_is_read() {
    let file = Dockerfile::parse(
        "FROM a AS build\nCOPY x.toml y.lock ./\nUSER root\nFROM b\n# no\nENV A=1 \\\n    B=sqlite:/data/x\n\
         COPY --from=build /x /y\nUSER owp\nHEALTHCHECK --interval=3s CMD [\"owp\", \"healthcheck\"]\nCMD [\"serve\"]\n",
    );
    assert_eq!((file.stages(), file.argument("USER").as_str()), (2, "owp"));
    assert_eq!(file.list("HEALTHCHECK"), ["owp", "healthcheck"]);
    assert_eq!(file.variables()["B"], "sqlite:/data/x");
    assert_eq!(file.copied_from_context(), ["x.toml", "y.lock"]);
}
