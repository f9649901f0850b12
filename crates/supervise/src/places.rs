//! A store whose values are found by a number, without a search.

/// Places a chunk. Growing never moves a value, so it takes no longer among a hundred thousand than among ten.
const CHUNK: usize = 64;

/// Values by place. Places that were used are kept for others, so there are as many as were ever used at a time.
#[derive(Debug)]
pub(crate) struct Places<T>(Vec<Box<[Option<T>]>>);

impl<T> Places<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        let place = place as usize;
        self.0.get(place / CHUNK)?[place % CHUNK].as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        let place = place as usize;
        self.0.get_mut(place / CHUNK)?[place % CHUNK].as_mut()
    }

    /// Puts a value in its place; those before it must have been used.
    pub(crate) fn put(&mut self, place: u32, value: T) {
        let place = place as usize;
        while self.0.len() <= place / CHUNK {
            self.0.push(std::iter::repeat_with(|| None).take(CHUNK).collect());
        }
        self.0[place / CHUNK][place % CHUNK] = Some(value);
    }

    pub(crate) fn take(&mut self, place: u32) -> Option<T> {
        let place = place as usize;
        self.0.get_mut(place / CHUNK)?[place % CHUNK].take()
    }

    /// All values, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().flatten()
    }

    /// Takes out all values, by place.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.0).into_iter().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_where_it_was_put() {
        let mut places = Places::new();
        for place in 0..200 {
            places.put(place, place);
        }
        assert_eq!(places.take(100), Some(100));
        assert_eq!((places.take(100), places.get(100), places.get(1_000)), (None, None, None));
        *places.get_mut(150).unwrap() += 1;
        places.put(100, 7);
        assert_eq!((places.get(100), places.get(150), places.get(151)), (Some(&7), Some(&151), Some(&151)));
        assert_eq!(places.iter().count(), 200);
        assert_eq!(places.drain().count(), 200);
        assert_eq!(places.iter().count(), 0);
    }
}
