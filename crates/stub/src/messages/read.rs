//! What plugins look up in messages.

use super::{CompoundFieldOwners, Field, OwningPlugins, PodSandbox};

impl PodSandbox {
    /// The annotation that is in effect for a container of the pod, by its name.
    ///
    /// The first of these that is there (`NRI: GetEffectiveAnnotation`): `KEY/container.NAME`, `KEY/pod`, `KEY`.
    ///
    /// # Examples
    ///
    /// ```
    /// use landfall_stub::messages::PodSandbox;
    ///
    /// let annotations = [("log.example.com", "short"), ("log.example.com/container.web", "long")];
    /// let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    /// let pod = PodSandbox { annotations, ..PodSandbox::default() };
    /// assert_eq!(pod.effective_annotation("log.example.com", "web"), Some("long"));
    /// assert_eq!(pod.effective_annotation("log.example.com", "cache"), Some("short"));
    /// ```
    #[must_use]
    pub fn effective_annotation(&self, key: &str, container: &str) -> Option<&str> {
        let keys = [format!("{key}/container.{container}"), format!("{key}/pod"), key.to_owned()];
        keys.iter().find_map(|key| self.annotations.get(key)).map(String::as_str)
    }
}

impl OwningPlugins {
    /// The plugin that set a field of a container, by the container's id; the hooks' plugins are joined by commas.
    ///
    /// What has keys is asked for by [`owner_of_key`](Self::owner_of_key).
    #[must_use]
    pub fn owner(&self, container: &str, field: Field) -> Option<&str> {
        self.owners.get(container)?.simple.get(&field.into()).map(String::as_str)
    }

    /// The plugin that set what a key of a field names, such as a variable, by the container's id.
    #[must_use]
    pub fn owner_of_key(&self, container: &str, field: Field, key: &str) -> Option<&str> {
        self.compound(container, field)?.owners.get(key).map(String::as_str)
    }

    /// What keys of a field are set for a container, each with the plugin that set it.
    pub fn owners_of_keys(&self, container: &str, field: Field) -> impl Iterator<Item = (&str, &str)> {
        let owners = self.compound(container, field).map(|compound| &compound.owners);
        owners.into_iter().flatten().map(|(key, owner)| (key.as_str(), owner.as_str()))
    }

    fn compound(&self, container: &str, field: Field) -> Option<&CompoundFieldOwners> {
        self.owners.get(container)?.compound.get(&field.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::FieldOwners;
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_annotation_of_the_container_comes_before_the_pods() {
        let pod = |annotations| PodSandbox { annotations: pairs(annotations), ..PodSandbox::default() };
        let all = pod(&[("k", "1"), ("k/pod", "2"), ("k/container.c", "3")]);
        assert_eq!(all.effective_annotation("k", "c"), Some("3"));
        assert_eq!(all.effective_annotation("k", "other"), Some("2"));
        assert_eq!(pod(&[("k", "1")]).effective_annotation("k", "c"), Some("1"));
        assert_eq!(pod(&[("kk", "1")]).effective_annotation("k", "c"), None);
    }

    #[test]
    fn owners_are_found_by_field_and_key() {
        let env = CompoundFieldOwners { owners: pairs(&[("A", "10-one"), ("B", "20-two")]) };
        let fields = FieldOwners {
            simple: [(Field::OomScoreAdj.into(), "10-one".to_owned())].into(),
            compound: [(Field::Env.into(), env)].into(),
        };
        let owners = OwningPlugins { owners: [("id".to_owned(), fields)].into() };
        assert_eq!(owners.owner("id", Field::OomScoreAdj), Some("10-one"));
        assert_eq!((owners.owner("id", Field::Args), owners.owner("other", Field::OomScoreAdj)), (None, None));
        assert_eq!(owners.owner_of_key("id", Field::Env, "B"), Some("20-two"));
        assert_eq!(owners.owner_of_key("id", Field::Mounts, "B"), None);
        assert_eq!(owners.owners_of_keys("id", Field::Env).collect::<Vec<_>>(), [("A", "10-one"), ("B", "20-two")]);
        assert_eq!(owners.owners_of_keys("id", Field::Mounts).count(), 0);
    }
}
