//! Memory that is used again and again, and cleared with zeros only once.

/// Bytes, and room behind them that keeps its memory between uses.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// Drops the content and keeps the memory.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// The content.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// The content, to change.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.filled).unwrap_or_default()
    }

    /// The length of the content.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// How many bytes of memory it has.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Drops all content but the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(length);
    }

    /// `size` bytes of room behind the content, holding whatever was there before.
    pub fn room(&mut self, size: usize) -> &mut [u8] {
        let end = self.filled + size;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..end]
    }

    /// Makes `count` more bytes of the room content; at most as many as the last [`Buffer::room`] had.
    pub fn grow(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.grow(bytes.len());
    }

    /// Appends zeros.
    pub fn push_zeros(&mut self, count: usize) {
        self.room(count).fill(0);
        self.grow(count);
    }
}
