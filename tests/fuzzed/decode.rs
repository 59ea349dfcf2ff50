//! Bytes as frames: whatever decodes is what its bytes say, and nothing of it is longer than its type allows.

use handover::wire::{Frame, HEADER_BYTES, PAYLOAD_BYTES_MAX, Reason};

/// Reads `data` as frames until it is no more one.
pub fn run(mut data: &[u8]) {
    while let Ok(Some((frame, length))) = Frame::decode(data) {
        assert!((HEADER_BYTES..=HEADER_BYTES + PAYLOAD_BYTES_MAX).contains(&length));
        let (bytes, rest) = data.split_at(length);
        check(&frame, bytes);
        data = rest;
    }
}

fn check(frame: &Frame<'_>, bytes: &[u8]) {
    // What is not whole is no frame and no violation, wherever it is cut.
    for cut in [0, HEADER_BYTES - 1, HEADER_BYTES, bytes.len() - 1] {
        if cut < bytes.len() {
            assert_eq!(Frame::decode(&bytes[..cut]), Ok(None), "{frame:?}");
        }
    }
    let mut again = Vec::new();
    frame.encode(&mut again);
    let Ok(Some((same, length))) = Frame::decode(&again) else {
        panic!("what is encoded is a frame: {frame:?}");
    };
    assert_eq!(length, again.len());
    assert_eq!(same, *frame, "a frame survives its bytes");
    if is_exact(frame) {
        assert_eq!(payload(&again), payload(bytes), "{frame:?}");
    }
}

/// Whether all bytes of the payload are in the frame: a HELLO may be of a later version, and a text is cleaned.
fn is_exact(frame: &Frame<'_>) -> bool {
    let clean = |reason: &Reason| reason.as_str().is_empty();
    match frame {
        Frame::Hello(_) | Frame::Goodbye(_) => false,
        Frame::Poison { reason, .. } | Frame::Deny { reason, .. } => clean(reason),
        _ => true,
    }
}

fn payload(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER_BYTES..]
}
