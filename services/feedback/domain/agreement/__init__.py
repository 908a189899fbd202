"""The life of an agreement, its checks, and how people read it and compare two versions."""
