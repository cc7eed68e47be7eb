"""What every folder uses: messages, notes, provenance, parallel work, widths, bundled files."""
