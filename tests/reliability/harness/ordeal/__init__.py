"""What breaks stores and looks at what is left of them. The tests beside this folder say what must hold."""
