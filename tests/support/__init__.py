"""What tests stand on, by subject: networks, files, second derivations, and how seewhy is asked."""
