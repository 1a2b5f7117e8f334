"""jaxstyle: stylise and generate pictures with JAX."""
