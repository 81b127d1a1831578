"""A tunnel: HTTP exchanges inside one WebSocket that was dialled from within (RFC 6455), each with its own flow."""
