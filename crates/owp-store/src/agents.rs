//! Agents: accounts whose pull requests count as the work of the contributor who declared them.

use super::error::StoreError;
use super::nouns::People;
use super::statement::query;
use super::tx::statements;
use owp_pool::Person;
use owp_pool::pull::Agents;

statements! {
    AGENTS_OF = "SELECT a.agent, p.login FROM agents a LEFT JOIN people p ON p.person = a.agent
        WHERE a.person = $1 ORDER BY a.declared_at, a.agent";
    AGENTS_CLEAR = "DELETE FROM agents WHERE person = $1";
    AGENT_DECLARE = "INSERT INTO agents (person, agent, declared_at) VALUES ($1, $2, $3)
        ON CONFLICT (person, agent) DO NOTHING";
    // Index agents_agent.
    AGENT_ITSELF = "DELETE FROM agents WHERE agent = $1";
}

impl People<'_> {
    /// Returns the declared agents of these contributors.
    pub async fn agents_of(&mut self, people: &[&Person]) -> Result<Agents, StoreError> {
        let mut agents = Agents::default();
        for person in people {
            for row in self.all(query(AGENTS_OF).bind(person.key())).await? {
                if let Some(Person::GitHub(id)) = Person::from_key(&row.try_get::<String, _>("agent")?) {
                    agents.declare(person, id);
                }
            }
        }
        Ok(agents)
    }

    /// Returns the logins of a contributor's agents, as last seen.
    pub async fn agent_logins(&mut self, person: &Person) -> Result<Vec<String>, StoreError> {
        let rows = self.all(query(AGENTS_OF).bind(person.key())).await?;
        let logins = rows.iter().map(|row| row.try_get::<Option<String>, _>("login")).collect::<Result<Vec<_>, _>>()?;
        Ok(logins.into_iter().flatten().collect())
    }

    /// Replaces the declared agents of a contributor.
    pub async fn declare_agents(&mut self, person: &Person, agents: &[Person]) -> Result<(), StoreError> {
        self.run(query(AGENTS_CLEAR).bind(person.key())).await?;
        let now = self.now().0;
        for agent in agents {
            self.run(query(AGENT_DECLARE).bind(person.key()).bind(agent.key()).bind(now)).await?;
        }
        Ok(())
    }

    /// Withdraws every declaration of an account as an agent, because it takes tasks itself from now on.
    pub(super) async fn is_no_agent(&mut self, person: &Person) -> Result<(), StoreError> {
        self.run(query(AGENT_ITSELF).bind(person.key())).await.map(drop)
    }
}
